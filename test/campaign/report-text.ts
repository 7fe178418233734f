export function seconds(ms: number): string {
  return (ms / 1000).toFixed(1)
}

export function mib(bytes: number): string {
  return (bytes / 1024 / 1024).toFixed(1)
}

export function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}

/** Moments of a time axis, at round numbers of seconds. */
export function ticks(endMs: number): readonly number[] {
  const stepMs = [5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800].find((one) => endMs / (one * 1000) <= 14) ?? 3600
  return Array.from({ length: Math.floor(endMs / (stepMs * 1000)) + 1 }, (_, index) => index * stepMs * 1000)
}

export function clock(ms: number): string {
  const minutes = Math.floor(ms / 60_000)
  return `${minutes}:${String(Math.round((ms % 60_000) / 1000)).padStart(2, '0')}`
}
