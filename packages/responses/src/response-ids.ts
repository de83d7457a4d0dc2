import type { Job } from '@resultity/store'

// A response is a view of its job, so its id is the job's under another name; and an item's tells whose it is.

export const RESPONSES = '/v1/responses'

const RESPONSE_ID = /^resp_([0-9a-f]{32})$/
const ITEM_ID = /^(?:msg|fc|fco|ctc|ctco|rs)_([0-9a-f]{32})_/

export function responseIdOf(job: Job): string {
  return `resp_${hexOf(job)}`
}

/** Undefined when it can be no response's. */
export function jobIdOf(responseId: string): string | undefined {
  const hex = RESPONSE_ID.exec(responseId)?.[1]
  return hex === undefined ? undefined : `req_${hex}`
}

/** The job that an item came with, by the item's id. */
export function jobIdOfItem(itemId: string): string | undefined {
  const hex = ITEM_ID.exec(itemId)?.[1]
  return hex === undefined ? undefined : `req_${hex}`
}

const prefixes: Readonly<Record<string, string>> = {
  function_call: 'fc',
  function_call_output: 'fco',
  custom_tool_call: 'ctc',
  custom_tool_call_output: 'ctco',
  reasoning: 'rs'
}

/** `in`: of an item that the client sent; `out`: of one that was made. */
export function itemIdOf(job: Job, type: string, direction: 'in' | 'out', index: number): string {
  return `${itemPrefix(type)}_${hexOf(job)}_${direction}${index}`
}

/** What ids of items of this type begin with. */
export function itemPrefix(type: string): string {
  return prefixes[type] ?? 'msg'
}

function hexOf(job: Job): string {
  return job.id.replace(/^req_/, '')
}
