/** A line of subtitles: when it is shown, in seconds, and what it says. */
export interface SubtitleSegment {
  readonly start: number
  readonly end: number
  readonly text: string
}

/** SubRip: numbered blocks, times with a comma. Ends with an empty line, as OpenAI's answers do. */
export function srtOf(segments: readonly SubtitleSegment[]): string {
  return segments.map((segment, index) => `${index + 1}\n${blockOf(segment, ',')}\n\n`).join('')
}

/** WebVTT: a heading, times with a point. Ends with an empty line, as OpenAI's answers do. */
export function vttOf(segments: readonly SubtitleSegment[]): string {
  return `WEBVTT\n\n${segments.map(segment => `${blockOf(segment, '.')}\n\n`).join('')}`
}

function blockOf({ start, end, text }: SubtitleSegment, point: string): string {
  return `${timeOf(start, point)} --> ${timeOf(end, point)}\n${lineOf(text)}`
}

/** Hours are always there, at least two digits; times before the beginning are the beginning. */
function timeOf(seconds: number, point: string): string {
  const ms = Math.round(Math.max(0, seconds) * 1000)
  const digits = (value: number, width = 2): string => String(Math.floor(value)).padStart(width, '0')
  const clock = [ms / 3_600_000, (ms / 60_000) % 60, (ms / 1000) % 60].map(value => digits(value)).join(':')
  return `${clock}${point}${digits(ms % 1000, 3)}`
}

/** A text must not read as times, nor end its block: an arrow becomes `->` as Whisper's writer has it, lines become one. */
function lineOf(text: string): string {
  return text
    .replaceAll(/\s*[\r\n\u0085\u2028\u2029]+\s*/g, ' ')
    .replaceAll(/-+->/g, '->')
    .trim()
}
