import { MeshError } from '@resultity/interface'

/** The hub that everybody knows. */
export const PUBLIC_HUB = 'https://huggingface.co'

/** Who asks the hub for what, for errors. */
export interface HubQuestion {
  /** As an operator writes it. */
  readonly name: string
  readonly repository: string
  /** Of the hub. */
  readonly url: string
  /** Whether a token was shown. */
  readonly withToken: boolean
}

/** What the hub said no with. */
export interface HubRefusal {
  readonly status: number
  /** `X-Error-Code` of the hub's answer, where it has one. */
  readonly code?: string | undefined
  readonly cause?: unknown
}

/** Errors of the hub that say that a name is wrong. It answers so, too, where a repository is private. */
const NO_SUCH: ReadonlySet<string> = new Set(['RepoNotFound', 'EntryNotFound'])

/** Where the licence of a repository is read and accepted. */
function licencePage({ url, repository }: HubQuestion): string {
  return `${url.replace(/\/+$/, '')}/${repository}`
}

/**
 * The error of a question that the hub refused with 401, 403 or 404: which page to visit, and what to set.
 *
 * @returns `model_gated` where a licence or a token is missing, else `model_not_found`
 */
export function refusalError(question: HubQuestion, { status, code, cause }: HubRefusal): MeshError {
  const { name, withToken } = question
  const details = { param: 'model', status }
  if (code === 'RevisionNotFound') {
    const hint = 'Name a branch or a tag that it has, or all 40 digits of a commit.'
    return new MeshError('model_not_found', `${name}: the repository has no such revision`, { hint, details, cause })
  }
  if (status === 404 || (code !== undefined && NO_SUCH.has(code))) {
    const hint = withToken
      ? 'Check the name, and whether the account of the token may read it.'
      : `Check the name. If the repository is private, set HF_TOKEN to a token that may read it.`
    return new MeshError('model_not_found', `${name} is not there, or not open to everybody`, { hint, details, cause })
  }
  if (status === 401 && withToken && code !== 'GatedRepo') {
    return new MeshError('model_gated', `${name}: the hub does not take the token`, {
      hint: 'Set HF_TOKEN to a token that holds; the hub lists those of an account in its settings.',
      details,
      cause
    })
  }
  const token = withToken ? 'with the account of the token that is set' : 'and set HF_TOKEN to a token of your account'
  return new MeshError('model_gated', `${name} is open only to who has accepted its licence`, {
    hint: `Visit ${licencePage(question)}, accept the licence ${token}.`,
    details,
    cause
  })
}
