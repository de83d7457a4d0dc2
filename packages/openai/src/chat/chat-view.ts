import type { StreamView } from '@resultity/jobs'
import type { JobEvent } from '@resultity/store'
import { CHOICE, type ChoiceReport, REPORT } from '../answer/answer-run.ts'
import { toolUseOf } from '../tools/tool-use.ts'
import type { ChatAnswer, ChatChunkChoice } from './chat-answer.ts'
import type { ChatRequest, MeshReport } from './chat-schema.ts'

/** Chunks, in the order that clients need: role, pieces, one finish for each choice, usage, `[DONE]`. */
export function chatView(answer: ChatAnswer, request: ChatRequest): StreamView {
  const reports = new Map<number, MeshReport>()
  const toolUse = toolUseOf(request)
  const indexes = Array.from({ length: request.n ?? 1 }, (_, index) => index)
  // whether text or a call comes first is not known where the model decides
  const unopened = new Set(toolUse === undefined || toolUse.constraint !== undefined ? [] : indexes)
  const opening = ({ index, delta, finish_reason: reason }: ChatChunkChoice): unknown[] => {
    if (!unopened.delete(index)) return []
    return [answer.roleChunk(index, delta.content !== undefined || reason !== null ? '' : null)]
  }
  const render = ({ type, data }: JobEvent): unknown[] => {
    if (type === REPORT) {
      const { index, mesh } = data as ChoiceReport
      reports.set(index, mesh)
      return []
    }
    if (type === CHOICE) {
      const choice = data as ChatChunkChoice
      const mesh = choice.finish_reason === null ? undefined : reports.get(choice.index)
      return [...opening(choice), { ...answer.chunk(choice), ...(mesh === undefined ? {} : { mesh }) }]
    }
    return []
  }
  return {
    begin: () => {
      const known = indexes.filter(index => !unopened.has(index))
      return known.map(index => answer.roleChunk(index, toolUse === undefined ? '' : null))
    },
    render,
    end: job => {
      const usage = job.usage === null ? undefined : answer.usageChunk(job.usage)
      return usage === undefined ? ['[DONE]'] : [usage, '[DONE]']
    }
  }
}
