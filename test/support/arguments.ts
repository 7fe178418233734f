/** Reads the arguments of a script. @returns null for wrong ones, which are told in one line above the usage */
export function readArguments<Read>(read: () => Read, usage: string): Read | null {
  try {
    return read()
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${usage}`)
    return null
  }
}
