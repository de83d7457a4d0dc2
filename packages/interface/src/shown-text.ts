import { z } from 'zod'

/** Control characters, and what turns or hides the text beside it: in no text that a peer has shown to people. */
export const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u

/** Text that is shown to people. */
export const shown = (charactersMax: number) =>
  z
    .string()
    .max(charactersMax)
    .refine(text => !UNPRINTABLE.test(text), 'control characters are not allowed')

/** The beginning of a text from outside, in one line that a terminal shows and does not obey. */
export function madeShown(text: string, charactersMax: number): string {
  const clean = text.replace(new RegExp(UNPRINTABLE, 'gu'), ' ').trim()
  return clean.length <= charactersMax ? clean : `${clean.slice(0, charactersMax - 1)}…`
}
