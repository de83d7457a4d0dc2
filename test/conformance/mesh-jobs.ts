import { eventually, meshNodes, slotsTaken } from '../mesh-state.ts'

/** A request as `GET /v1/requests` shows it, as far as the tests look. */
export interface RequestState {
  readonly id: string
  readonly status: string
  readonly endpoint: string
  readonly started_at: number | null
}

type Headers = Readonly<Record<string, string>>

/** Your requests in this state, the newest first. */
async function requestsIn(url: string, status: string, headers: Headers = {}): Promise<RequestState[]> {
  const response = await fetch(`${url}/v1/requests?limit=100&status=${status}`, { headers })
  const answer: { data: RequestState[] } = await response.json()
  return answer.data
}

/** Requests that are at work or wait, ours among them. */
async function openRequests(url: string, headers: Headers): Promise<RequestState[]> {
  return [...(await requestsIn(url, 'running', headers)), ...(await requestsIn(url, 'queued', headers))]
}

/** Long answers before anything that is asked for from now on, where a placement makes one at a time. */
const QUEUE_LENGTH = 24

/** Requests that keep the mesh busy. */
export interface Occupation extends AsyncDisposable {
  readonly ids: readonly string[]
}

/** Has the mesh busy for long. Dispose to have it free again. */
export async function occupy(url: string, body: object): Promise<Occupation> {
  const ids: string[] = []
  for (let index = 0; index < QUEUE_LENGTH; index++) {
    const response = await fetch(`${url}/v1/chat/completions?async=true`, {
      method: 'POST',
      body: JSON.stringify(body)
    })
    const { id }: RequestState = await response.json()
    ids.push(id)
  }
  return {
    ids,
    [Symbol.asyncDispose]: async () => {
      await Promise.all(ids.map(id => fetch(`${url}/v1/requests/${id}/cancel`, { method: 'POST' })))
    }
  }
}

/** Resolves with the request that waits beside those. */
export async function untilQueued(url: string, { ids }: Occupation): Promise<RequestState> {
  const others = async (): Promise<RequestState[]> =>
    (await requestsIn(url, 'queued')).filter(({ id }) => !ids.includes(id))
  const [waiting] = await eventually('a request that waits', others, found => found.length > 0)
  if (waiting === undefined) throw new Error('nothing waits')
  return waiting
}

/** Resolves once nothing is at work or waits, and no node keeps a slot for anything. */
export async function untilIdle(url: string, headers: Headers = {}): Promise<void> {
  await eventually(
    'all slots free and no request open',
    async () => ({
      slots: slotsTaken(await meshNodes(url, headers)),
      open: (await openRequests(url, headers)).map(({ id }) => id)
    }),
    ({ slots, open }) => slots === 0 && open.length === 0
  )
}
