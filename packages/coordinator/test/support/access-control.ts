import { Writable } from 'node:stream'
import { checkFetches } from '@resultity/test-api'
import { pino } from 'pino'
import type { Test } from 'tap'
import { type CoordinatorInit, startCoordinator } from '../../src/index.ts'

/** A coordinator without models, and what its access control says. */
export interface Started {
  readonly url: string
  /** Everything that was logged, at the finest level. */
  log(): string
  ask(method: string, path: string, options?: Asked): Promise<Answer>
}

export interface Asked {
  readonly key?: string | undefined
  readonly body?: unknown
  readonly headers?: Record<string, string>
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  readonly body: Readonly<Record<string, never>> & { readonly error?: { code: string; message: string } }
}

export async function start(
  t: Test,
  { dataDir = t.testdir({}), host = '127.0.0.1', ...init }: Partial<CoordinatorInit> & { host?: string } = {}
): Promise<Started> {
  const lines: string[] = []
  const write = (chunk: Buffer, _encoding: string, done: () => void): void => {
    lines.push(String(chunk))
    done()
  }
  const coordinator = await startCoordinator({
    dataDir,
    http: { host, port: 0 },
    listen: ['/ip4/127.0.0.1/tcp/0'],
    mdns: false,
    models: [],
    ...init,
    logger: pino({ level: 'trace' }, new Writable({ write }))
  })
  const url = coordinator.httpUrl.replace('0.0.0.0', '127.0.0.1')
  const check = checkFetches(url)
  t.teardown(async () => {
    await coordinator.close()
    await check[Symbol.asyncDispose]()
  })
  const ask: Started['ask'] = async (method, path, { key, body, headers = {} } = {}) => {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: { ...(key === undefined ? {} : { authorization: `Bearer ${key}` }), ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) })
    })
    const text = await response.text()
    const json = response.headers.get('content-type')?.startsWith('application/json')
    return { status: response.status, headers: response.headers, text, body: json ? JSON.parse(text) : {} }
  }
  return { url, log: () => lines.join(''), ask }
}

export const ADMIN_ROUTES = '/v1/admin/keys'

/** @param key an admin key, where there is one already */
export async function createKey({ ask }: Started, key: string | undefined, input: object) {
  const { status, body } = await ask('POST', ADMIN_ROUTES, { key, body: input })
  if (status !== 200) throw new Error(JSON.stringify(body))
  return body as unknown as { readonly id: string; readonly key: string }
}
