import { openDatabase } from '@resultity/store'
import t from 'tap'
import { createKey, start } from './support/access-control.ts'

const DAY_MS = 86_400_000
const TODAY = Math.floor(Date.now() / DAY_MS)

interface Ended {
  readonly namespace: string
  readonly key: string | null
  readonly lane: string
  readonly tokens: readonly [prompt: number, completion: number]
  readonly daysAgo: number
}

/** A data directory in which these jobs have ended. */
async function afterwards(dataDir: string, jobs: readonly Ended[]): Promise<string> {
  await using database = await openDatabase({ dataDir })
  const rows = jobs.map(({ namespace, key, lane, tokens: [prompt, completion], daysAgo }, index) => ({
    ...{ job_id: `req_${index}`, namespace, key_id: key, lane, endpoint: '/v1/chat/completions', hidden: 0 as const },
    ...{ state: 'succeeded' as const, prompt_tokens: prompt, completion_tokens: completion },
    ended_at_ms: (TODAY - daysAgo) * DAY_MS
  }))
  await database.kysely.insertInto('job_usage').values(rows).execute()
  return dataDir
}

const jobs: readonly Ended[] = [
  { namespace: 'team', key: 'k1', lane: 'model:tiny-chat', tokens: [1, 2], daysAgo: 1 },
  { namespace: 'team', key: 'k1', lane: 'model:=cmd|calc', tokens: [10, 20], daysAgo: 2 },
  { namespace: 'team', key: 'k2', lane: 'group', tokens: [100, 200], daysAgo: 2 },
  { namespace: 'other', key: null, lane: 'model:tiny-chat', tokens: [1000, 2000], daysAgo: 1 },
  { namespace: 'team', key: 'k1', lane: 'model:tiny-chat', tokens: [9, 9], daysAgo: 60 }
]

t.test('a key sees its own namespace’s usage, an admin key all of it', async t => {
  const started = await start(t, { dataDir: await afterwards(t.testdir({}), jobs) })
  const { ask } = started
  const admin = await createKey(started, undefined, { scopes: ['admin'] })
  const { key } = await createKey(started, admin.key, { namespace: 'team' })
  const blind = await createKey(started, admin.key, { namespace: 'team', scopes: ['inference'] })
  const own = { requests: 3, failures: 0, prompt_tokens: 11, completion_tokens: 22, total_tokens: 33 }
  t.match(await ask('GET', '/v1/usage', { key }), { status: 200, body: { data: [own], has_more: false } })
  t.match(await ask('GET', '/v1/usage?namespace=team', { key }), { status: 200, body: { data: [own] } })
  t.match(await ask('GET', '/v1/usage?namespace=other', { key }), {
    status: 403,
    body: { error: { param: 'namespace' } }
  })
  t.match(await ask('GET', '/v1/usage?key=k2', { key }), { body: { data: [{ requests: 1, total_tokens: 0 }] } })
  t.equal((await ask('GET', '/v1/usage', { key: blind.key })).status, 403)
  t.match(await ask('GET', '/v1/usage?group_by=namespace', { key: admin.key }), {
    body: {
      data: [
        { namespace: 'other', requests: 1, total_tokens: 3000 },
        { namespace: 'team', requests: 3, total_tokens: 33 }
      ]
    }
  })
  t.match(await ask('GET', '/v1/usage?group_by=model,day', { key }), {
    body: {
      data: [
        { model: null, requests: 1, total_tokens: 0 },
        { model: '=cmd|calc', total_tokens: 30, day: new Date((TODAY - 2) * DAY_MS).toISOString().slice(0, 10) },
        { model: 'tiny-chat', total_tokens: 3 }
      ]
    }
  })
  t.match(await ask('GET', `/v1/usage?from=${(TODAY - 90) * 86_400}&model=tiny-chat`, { key }), {
    body: { data: [{ requests: 2, prompt_tokens: 10 }] }
  })
  t.match(await ask('GET', '/v1/usage?group_by=request&limit=2', { key }), {
    body: { data: [{ request_id: 'req_0' }, { request_id: 'req_1' }], has_more: true }
  })
})

t.test('usage comes as CSV, in which no name is a formula', async t => {
  const { ask } = await start(t, { dataDir: await afterwards(t.testdir({}), jobs) })
  const url = '/v1/usage?group_by=model'
  const byParameter = await ask('GET', `${url}&format=csv`)
  t.equal(byParameter.headers.get('content-type'), 'text/csv; charset=utf-8')
  t.match(byParameter.headers.get('content-disposition'), /usage\.csv/)
  const heading = 'model,subcloud,requests,failures,prompt_tokens,completion_tokens,total_tokens'
  const expected = [heading, ',,1,0,0,0,0', "'=cmd|calc,,1,0,10,20,30", 'tiny-chat,,2,0,1001,2002,3003', ''].join('\n')
  t.equal(byParameter.text, expected)
  const byHeader = await ask('GET', url, { headers: { accept: 'text/csv' } })
  t.equal(byHeader.text, expected)
  const json = await ask('GET', `${url}&format=json`, { headers: { accept: 'text/csv' } })
  t.match(json.body, { object: 'list' })
})

t.test('a question about usage that makes no sense is refused with the field', async t => {
  const { ask } = await start(t)
  const cases: readonly (readonly [string, string])[] = [
    ['from=yesterday', 'from'],
    ['to=-1', 'to'],
    ['from=2030-01-31&to=2030-01-30', 'from'],
    ['from=99999999999999', 'from'],
    ['group_by=password', 'group_by[0]'],
    ['group_by=key,key,key,key,key,key,key', 'group_by'],
    ['limit=0', 'limit'],
    ['limit=1e9', 'limit'],
    ['namespace=..', 'namespace'],
    ['format=xml', 'format']
  ]
  for (const [query, param] of cases) {
    t.match(await ask('GET', `/v1/usage?${query}`), { status: 400, body: { error: { param } } }, query)
  }
})
