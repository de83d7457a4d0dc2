/** OpenAI's categories: an answer has all of them, whatever its model knows. */
export const CATEGORIES = [
  'harassment',
  'harassment/threatening',
  'hate',
  'hate/threatening',
  'illicit',
  'illicit/violent',
  'self-harm',
  'self-harm/instructions',
  'self-harm/intent',
  'sexual',
  'sexual/minors',
  'violence',
  'violence/graphic'
] as const
export type Category = (typeof CATEGORIES)[number]

/** Labels of published models for what OpenAI calls otherwise, in small letters and with single spaces. */
const synonyms: Readonly<Record<string, Category>> = {
  toxic: 'harassment',
  toxicity: 'harassment',
  'severe toxic': 'harassment',
  'severe toxicity': 'harassment',
  insult: 'harassment',
  obscene: 'harassment',
  offensive: 'harassment',
  bullying: 'harassment',
  hr: 'harassment',
  threat: 'harassment/threatening',
  threatening: 'harassment/threatening',
  hateful: 'hate',
  'hate speech': 'hate',
  'identity hate': 'hate',
  'identity attack': 'hate',
  h: 'hate',
  h2: 'hate/threatening',
  crime: 'illicit',
  illegal: 'illicit',
  weapons: 'illicit/violent',
  suicide: 'self-harm',
  sh: 'self-harm',
  'sexual explicit': 'sexual',
  nsfw: 'sexual',
  s: 'sexual',
  s3: 'sexual/minors',
  violent: 'violence',
  v: 'violence',
  v2: 'violence/graphic'
}

const HARMLESS: ReadonlySet<string> = new Set([
  'benign',
  'clean',
  'harmless',
  'neutral',
  'no hate',
  'non hate',
  'non toxic',
  'normal',
  'not hate',
  'not offensive',
  'not toxic',
  'ok',
  'safe',
  'sfw'
])

const known: ReadonlyMap<string, Category> = new Map([
  ...CATEGORIES.map(category => [plain(category), category] as const),
  ...Object.entries(synonyms)
])

/** What a label means: one of OpenAI's categories, something of its own, or that nothing is wrong. */
export type Meaning =
  | { readonly kind: 'category'; readonly category: Category }
  | { readonly kind: 'own' }
  | { readonly kind: 'harmless' }

export function meaningOf(label: string): Meaning {
  const name = plain(label)
  if (HARMLESS.has(name)) return { kind: 'harmless' }
  const category = known.get(name)
  return category === undefined ? { kind: 'own' } : { kind: 'category', category }
}

function plain(label: string): string {
  return label
    .trim()
    .toLowerCase()
    .replaceAll(/[\s_-]+/g, ' ')
}
