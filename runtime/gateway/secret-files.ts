import { readFileSync } from 'node:fs'
import { FleetstepError } from '../base/errors.ts'
import type { TlsFiles } from '../links/mqtt/servers.ts'
import type { MqttSettings } from './config-schema.ts'
import { readSecretFile } from './secret-file.ts'
import { readProblem } from './read-text.ts'

/** Password and certificates, in files so that no secret stands in a config. */
export interface Secrets {
  readonly password: string | undefined
  readonly tls: TlsFiles
}

type SecretFiles = Pick<MqttSettings, 'passwordFile' | 'caFile' | 'certificateFile' | 'keyFile'>

/** @throws FleetstepError `config-invalid` if a file cannot be read, or is a secret that others than its owner can read */
export function secretsOf({ passwordFile, caFile, certificateFile, keyFile }: SecretFiles): Secrets {
  return {
    password: readSecret(passwordFile)?.trimEnd(),
    tls: { ca: readPublicFile(caFile), cert: readPublicFile(certificateFile), key: keyOf(keyFile) },
  }
}

function keyOf(file: string | null): Buffer | undefined {
  const text = readSecret(file)
  return text === undefined ? undefined : Buffer.from(text)
}

function readSecret(file: string | null): string | undefined {
  if (file === null) return undefined
  const text = readSecretFile(file, 'config-invalid')
  if (text !== null) return text
  throw new FleetstepError('config-invalid', `${file}, which the config names, is not there`)
}

function readPublicFile(file: string | null): Buffer | undefined {
  try {
    return file === null ? undefined : readFileSync(file)
  } catch (cause) {
    const problem = readProblem(cause)
    throw new FleetstepError('config-invalid', `cannot read ${file}, which the config names: ${problem}`, { cause })
  }
}
