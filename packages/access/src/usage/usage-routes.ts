import { type ApiRoute, addRoute, parseInput } from '@resultity/api-kit'
import { type Clock, invalidRequest } from '@resultity/interface'
import { modelLane, type UsageLedger } from '@resultity/store'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { namespaceFor } from '../keys/caller.ts'
import { usageListSchema, usageQuerySchema } from './usage-schema.ts'
import { toCsv, toGroup, toUsageView } from './usage-view.ts'

export interface UsageRouteComponents {
  readonly ledger: UsageLedger
  readonly clock: Clock
}

const DEFAULT_MS = 30 * 86_400_000

const showUsage: ApiRoute = {
  method: 'GET',
  path: '/v1/usage',
  id: 'showUsage',
  summary: 'What requests that have ended took, of the key’s namespace; with an admin key, of all.',
  query: usageQuerySchema,
  answers: { 200: { json: usageListSchema, media: ['text/csv'] } },
  errors: [400, 401, 403]
}

/** `GET /v1/usage`. */
export function addUsageRoutes(server: FastifyInstance, { ledger, clock }: UsageRouteComponents): void {
  addRoute(server, showUsage, async (request, reply) => {
    const query = parseInput(usageQuerySchema, request.query)
    const { from, to = clock.now(), group_by: groupBy, key, model, limit } = query
    const fromMs = from ?? to - DEFAULT_MS
    if (fromMs >= to) throw invalidRequest('from', '"from" is not before "to"')
    const namespace = namespaceFor(request.caller, query.namespace)
    const { sums, hasMore } = await ledger.report({
      fromMs,
      toMs: to,
      groupBy: groupBy.map(toGroup),
      limit,
      ...(namespace === undefined ? {} : { namespace }),
      ...(key === undefined ? {} : { keyId: key }),
      ...(model === undefined ? {} : { lane: modelLane(model) })
    })
    const data = sums.map(toUsageView)
    if (wantsCsv(request, query.format)) {
      reply.type('text/csv; charset=utf-8').header('content-disposition', 'attachment; filename="usage.csv"')
      return toCsv(data, [...new Set(groupBy)])
    }
    const seconds = { from: Math.floor(fromMs / 1000), to: Math.floor(to / 1000) }
    return { object: 'list', ...seconds, data, has_more: hasMore }
  })
}

function wantsCsv({ headers }: FastifyRequest, format: 'json' | 'csv' | undefined): boolean {
  if (format !== undefined) return format === 'csv'
  return /^\s*text\/csv\b/i.test(headers.accept ?? '')
}
