/**
 * What members tell and send each other (PROTOCOL section 8).
 * @type {readonly import('./mutation.mjs').Mutation[]}
 */
export const EXCHANGE = [
  {
    name: 'exchange: equal digests need nothing more',
    file: 'runtime/sync/anti-entropy.ts',
    from: 'if (vectorDigest === this.#options.ownVector().digest) {',
    to: 'if (vectorDigest === null) {',
    noticedBy: 'test/sync/exchange.test.ts',
  },
  {
    name: 'exchange: a digest that differs is answered with the vector',
    file: 'runtime/sync/anti-entropy.ts',
    from: 'if (!isFull || this.#isAheadOf(peer))',
    to: 'if (isFull && this.#isAheadOf(peer))',
    noticedBy: 'test/sync/exchange.test.ts',
  },
  {
    name: 'exchange: whoever is ahead says so',
    file: 'runtime/sync/anti-entropy.ts',
    from: 'if (!isFull || this.#isAheadOf(peer))',
    to: 'if (!isFull)',
    noticedBy: 'test/sync/exchange.test.ts',
  },
  {
    name: 'exchange: exactly what is lacking',
    file: 'runtime/sync/anti-entropy.ts',
    from: 'if (seq > after) gaps.push({ member, after, through: seq })',
    to: 'if (seq > after) gaps.push({ member, after: 0, through: seq })',
    noticedBy: 'test/sync/exchange.test.ts',
  },
  {
    name: 'exchange: an answer is bounded',
    file: 'runtime/sync/anti-entropy.ts',
    from: 'if (bytes > ANSWER_BYTES_MAX && outputs.length > 0) break',
    to: '',
    noticedBy: 'test/sync/exchange.test.ts',
  },
  {
    name: 'exchange: of the retired nothing is asked beyond what stands',
    file: 'runtime/sync/anti-entropy.ts',
    from: 'Math.min(wanted, history.retirement.bound(member) ?? wanted)',
    to: 'wanted',
    noticedBy: 'test/sync/exchange.test.ts',
  },
  {
    name: 'exchange: one answer serves all',
    file: 'runtime/sync/anti-entropy.ts',
    from: 'this.#answers.get(link)?.skip(batch)',
    to: '',
    noticedBy: 'test/sync/answer.test.ts',
  },
  {
    name: 'exchange: one request serves all',
    file: 'runtime/sync/anti-entropy.ts',
    from: 'if (this.#requestAt !== null && isCovered) {',
    to: 'if (this.#requestAt === undefined) {',
    noticedBy: 'test/sync/exchange.test.ts',
  },
  {
    name: 'exchange: a relay passes on operations',
    file: 'runtime/sync/receiving.ts',
    from: 'if (batch !== null && isRelay)',
    to: 'if (batch === null && isRelay)',
    noticedBy: 'test/sync/exchange.test.ts',
  },
  {
    name: 'exchange: a relay passes on announcements',
    file: 'runtime/sync/receiving.ts',
    from: 'if (core.antiEntropy.links.size > 1) {',
    to: 'if (core.antiEntropy.links.size < 0) {',
    noticedBy: 'test/sync/exchange.test.ts',
  },
  {
    name: 'exchange: a node that has started announces soon',
    file: 'runtime/sync/anti-entropy.ts',
    from: 'this.#isOwed = this.#links.size > 0',
    to: '',
    noticedBy: 'test/sync/restart.test.ts',
  },
  {
    name: 'exchange: intervals double while nothing changes',
    file: 'runtime/sync/anti-entropy.ts',
    from: '2 * this.#intervalMs,',
    to: 'this.#intervalMs,',
    noticedBy: 'test/sync/exchange.test.ts',
  },
  {
    name: 'exchange: intervals grow with the fleet',
    file: 'runtime/sync/anti-entropy.ts',
    from: 'Math.max(1, this.#history.membership.size / ANNOUNCE_INTERVAL_MEMBERS)',
    to: '1',
    noticedBy: 'test/sync/exchange.test.ts',
  },
]
