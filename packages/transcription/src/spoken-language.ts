import { invalidRequest, type WhisperConfig } from '@resultity/interface'

const names = new Intl.DisplayNames('en', { type: 'language', fallback: 'code' })

/** The English name of a language in small letters, as OpenAI's answers have it: `german` of `de`. */
export function languageName(code: string): string {
  return (names.of(code) ?? code).toLowerCase()
}

/**
 * The code by which a model knows a language.
 *
 * @param written its code, perhaps with a region behind it, or its English name
 * @throws MeshError `invalid_request` for a language that the model does not know
 */
export function languageCode(written: string, config: Pick<WhisperConfig, 'languages' | 'multilingual'>): string {
  const known = config.multilingual ? Object.keys(config.languages) : ['en']
  const wanted = written.trim().toLowerCase()
  const [code = ''] = wanted.split(/[-_]/)
  const found = known.find(one => one === code) ?? known.find(one => languageName(one) === wanted)
  if (found !== undefined) return found
  const message = `the model knows no language "${written.slice(0, 32)}"`
  throw invalidRequest('language', message, `Leave it out, or name one of ${known.join(', ')}.`)
}
