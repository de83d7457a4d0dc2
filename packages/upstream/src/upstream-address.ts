import { MeshError } from '@resultity/interface'

/** A server beside the node: where its API begins, and whether the operator named it. */
export interface UpstreamAddress {
  /** Without a slash at the end, such as `http://127.0.0.1:8000/v1`. */
  readonly base: string
  /** False for one that is only looked for: it is shown no key, and nobody misses it. */
  readonly named: boolean
}

/** Stands for all servers that are usual on this machine. */
export const AUTO_UPSTREAMS = 'auto'

/** Where servers listen when nobody says otherwise: vLLM, llama-server and LocalAI, Ollama, LM Studio, SGLang. */
const USUAL_PORTS: readonly number[] = [8000, 8080, 11_434, 1234, 30_000]

/**
 * The addresses that an operator gave, each once. A named one is not looked for beside that.
 *
 * @param targets URLs, and {@link AUTO_UPSTREAMS}
 * @throws MeshError `settings_invalid` for what is no plain HTTP address
 */
export function upstreamAddresses(targets: readonly string[]): UpstreamAddress[] {
  const named = targets.filter(target => target !== AUTO_UPSTREAMS).map(baseOf)
  const usual = targets.includes(AUTO_UPSTREAMS) ? USUAL_PORTS.map(port => `http://127.0.0.1:${port}/v1`) : []
  const found = usual.filter(base => !named.includes(base))
  return [...[...new Set(named)].map(base => ({ base, named: true })), ...found.map(base => ({ base, named: false }))]
}

function baseOf(target: string): string {
  const url = URL.canParse(target) ? new URL(target) : undefined
  if (url === undefined || !['http:', 'https:'].includes(url.protocol)) {
    throw invalid(`"${target.slice(0, 128)}" is no HTTP address`)
  }
  if (url.username !== '' || url.password !== '') throw invalid(`the address of ${url.host} has a password in it`)
  if (url.search !== '' || url.hash !== '') throw invalid(`"${target.slice(0, 128)}" has more than a path`)
  const path = url.pathname.replace(/\/+$/, '')
  return `${url.origin}${path === '' ? '/v1' : path}`
}

function invalid(what: string): MeshError {
  return new MeshError('settings_invalid', `an upstream cannot be used: ${what}`, {
    hint: 'Give --upstream http://127.0.0.1:8000/v1, or auto; a key goes into --upstream-key-file.'
  })
}
