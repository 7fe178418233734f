import { FleetstepError } from '../base/errors.ts'
import { EPOCH_FILE_BYTES_MAX } from '../base/limits.ts'
import type { Epoch } from '../sync/epoch.ts'
import { type EpochDocument, epochFromText, epochText, proposalFromText, type ProposedEpoch } from './epoch-file.ts'
import { createSecretFile } from './secret-file.ts'
import { readProblem, readText } from './read-text.ts'

/** Epochs on their way between the operator's machine and a gateway, as files. Nothing in them is secret. */
export function writeEpochFile(file: string, document: EpochDocument<ProposedEpoch | Epoch>): void {
  createSecretFile({ file, text: epochText(document), code: 'request-invalid' })
}

/** @throws FleetstepError `request-invalid` */
export function readEpochFile(file: string): EpochDocument {
  return epochFromText(read(file), file)
}

/** @throws FleetstepError `request-invalid` */
export function readProposalFile(file: string): EpochDocument<ProposedEpoch> {
  return proposalFromText(read(file), file)
}

function read(file: string): string {
  try {
    return readText(file, EPOCH_FILE_BYTES_MAX)
  } catch (cause) {
    throw new FleetstepError('request-invalid', `cannot read ${file}: ${readProblem(cause)}; name another file`, {
      cause,
    })
  }
}
