/** A command that people do not see: the guard of the outputs becomes it. */
export const GUARD_OUTPUTS = 'guard-outputs'
