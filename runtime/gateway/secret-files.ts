import { readFileSync } from 'node:fs'
import { FleetstepError } from '../base/errors.ts'
import type { TlsFiles } from '../links/mqtt/servers.ts'
import type { MqttSettings } from './config-schema.ts'

/** Password and certificates, in files so that no secret stands in a config. */
export interface Secrets {
  readonly password: string | undefined
  readonly tls: TlsFiles
}

type SecretFiles = Pick<MqttSettings, 'passwordFile' | 'caFile' | 'certificateFile' | 'keyFile'>

/** @throws FleetstepError `config-invalid` if a file cannot be read */
export function secretsOf({ passwordFile, caFile, certificateFile, keyFile }: SecretFiles): Secrets {
  return {
    password: readSecretFile(passwordFile)?.toString('utf8').trimEnd(),
    tls: { ca: readSecretFile(caFile), cert: readSecretFile(certificateFile), key: readSecretFile(keyFile) },
  }
}

function readSecretFile(file: string | null): Buffer | undefined {
  try {
    return file === null ? undefined : readFileSync(file)
  } catch (cause) {
    throw new FleetstepError('config-invalid', `cannot read ${file}, which the config names: ${String(cause)}`, {
      cause,
    })
  }
}
