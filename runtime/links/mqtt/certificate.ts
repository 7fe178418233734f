import type { PeerCertificate } from 'node:tls'

/** The common name in a certificate, by which brokers know a user. Empty if there is none, or several. */
export function commonNameOf({ subject }: PeerCertificate): string {
  return typeof subject?.CN === 'string' ? subject.CN : ''
}
