export interface SmapsSizes {
  readonly resident?: number
  readonly anonymous?: number
  readonly swapped?: number
}

/** A mapping of 4 MB as `smaps` lists it: its first line, and sizes in kB. */
export function smapsEntry(line: string, { resident = 4096, anonymous = 0, swapped = 0 }: SmapsSizes = {}): string {
  const sizes = { Size: 4096, Rss: resident, Anonymous: anonymous, Swap: swapped, SwapPss: swapped }
  const lines = Object.entries(sizes).map(([name, size]) => `${name}: ${size} kB\n`)
  return `${line}\n${lines.join('')}`
}
