import { createPrivateKey, X509Certificate } from 'node:crypto'
import { FleetstepError } from '../base/errors.ts'
import type { NodeId } from '../base/ids.ts'
import type { MutualTls } from '../links/mqtt/servers.ts'

/**
 * Others would let nobody in with another node's certificate, and could not say why.
 * @param link its name, for people
 * @throws FleetstepError `config-invalid`
 */
export function assertOwnCertificate(tls: MutualTls, node: NodeId, link: string): void {
  const certified = nameIn(tls, link)
  if (certified === node) return
  const message = `${link}: the certificate is of ${JSON.stringify(certified)}, and this node is ${node}: take its own`
  throw new FleetstepError('config-invalid', message)
}

/** The common name in a certificate. */
function nameIn({ cert, key }: MutualTls, link: string): string {
  try {
    const certificate = new X509Certificate(cert)
    if (!certificate.checkPrivateKey(createPrivateKey(key))) throw new Error('the key is of another certificate')
    return /^CN=(.*)$/m.exec(certificate.subject)?.[1] ?? ''
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    const message = `${link}: cert and key cannot be used (${reason}): both are PEM`
    throw new FleetstepError('config-invalid', message, { cause })
  }
}
