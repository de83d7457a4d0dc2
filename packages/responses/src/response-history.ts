import { invalidRequest, MeshError, withParam } from '@resultity/interface'
import type { Job, JobStore } from '@resultity/store'
import { conversationOf, type ResponseConversations, refuseTwoHistories } from './response-conversation.ts'
import { itemIdOf, jobIdOf, jobIdOfItem, RESPONSES } from './response-ids.ts'
import { requestOf, responseOf } from './response-object.ts'
import { inputItems } from './response-request.ts'
import type { ResponseItem, ResponseRequest } from './response-schema.ts'

export interface HistoryComponents {
  readonly store: JobStore
  readonly conversations: ResponseConversations
}

/**
 * A request with everything in it that it refers to: the conversation before it, and items by their ids.
 *
 * @throws MeshError `invalid_request` when what it refers to is not the caller's, or not complete
 */
export async function withHistory(
  { store, conversations }: HistoryComponents,
  namespace: string,
  request: ResponseRequest
): Promise<ResponseRequest> {
  refuseTwoHistories(request)
  // the client has no say in what is stored under this name
  const { history: _, ...rest } = request
  const { previous_response_id: previousId, input } = request
  const conversation = conversationOf(request)
  const history =
    conversation !== undefined
      ? [...(await conversations.historyOf(namespace, conversation).catch(inTermsOfResponses))]
      : typeof previousId === 'string'
        ? await historyOf(store, namespace, previousId)
        : undefined
  return {
    ...rest,
    ...(history === undefined ? {} : { history }),
    ...(Array.isArray(input) ? { input: await withoutReferences(store, namespace, input, history) } : {})
  }
}

/** What is wrong with a conversation is wrong with the field that names it. */
function inTermsOfResponses(error: unknown): never {
  throw withParam(error, 'conversation')
}

/** All items of the input of a response, with ids: what its conversation had before, then its own. */
export function inputItemsOf(job: Job): ResponseItem[] {
  const request = requestOf(job)
  const own = inputItems(request).map((item, index) => ({
    ...item,
    id: item.id ?? itemIdOf(job, item.type ?? 'message', 'in', index)
  }))
  return [...(request.history ?? []), ...own]
}

/** A response that its owner may ask for; undefined when there is none, or it was not to be kept. */
export async function findResponse(store: JobStore, namespace: string, id: string): Promise<Job | undefined> {
  const jobId = jobIdOf(id)
  return jobId === undefined ? undefined : await findJob(store, namespace, jobId)
}

async function findJob(store: JobStore, namespace: string, jobId: string): Promise<Job | undefined> {
  const job = await store.get(jobId)
  const own = job?.endpoint === RESPONSES && job.namespace === namespace
  return own && requestOf(job).store !== false ? job : undefined
}

async function historyOf(store: JobStore, namespace: string, id: string): Promise<ResponseItem[]> {
  const job = await findResponse(store, namespace, id)
  if (job === undefined) {
    throw new MeshError('invalid_request', `there is no response "${id.slice(0, 64)}"`, {
      hint: 'Send the whole conversation.',
      details: { param: 'previous_response_id', reason: 'previous_response_not_found' }
    })
  }
  if (job.state !== 'succeeded') {
    const { status } = responseOf(job)
    throw invalidRequest('previous_response_id', `response ${id} is ${status}`, 'Go on from one that has an answer.')
  }
  return [...inputItemsOf(job), ...responseOf(job).output]
}

/** Clients name items that they believe to be stored instead of sending them again. */
async function withoutReferences(
  store: JobStore,
  namespace: string,
  items: readonly ResponseItem[],
  history: readonly ResponseItem[] = []
): Promise<ResponseItem[]> {
  const found: ResponseItem[] = []
  for (const item of items) {
    const known = item.type === 'item_reference' ? history.find(({ id }) => id === item.id) : item
    found.push(known ?? (await dereferenced(store, namespace, item)))
  }
  return found
}

async function dereferenced(store: JobStore, namespace: string, reference: ResponseItem): Promise<ResponseItem> {
  const jobId = jobIdOfItem(reference.id ?? '')
  const job = jobId === undefined ? undefined : await findJob(store, namespace, jobId)
  if (job === undefined) return reference
  // what cannot be found is refused with everything else that is wrong with the input
  return [...inputItemsOf(job), ...responseOf(job).output].find(({ id }) => id === reference.id) ?? reference
}
