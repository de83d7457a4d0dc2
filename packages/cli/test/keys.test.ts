import { join } from 'node:path'
import t, { type Test } from 'tap'
import { z } from 'zod'
import { MeshApi } from '../src/api/mesh-api.ts'
import { startChildDaemon } from '../src/daemon/child-daemon.ts'
import { parseDuration, toNewKey } from '../src/keys/key-options.ts'
import { runCommand } from './run-command.ts'

const created = z.looseObject({ id: z.string(), key: z.string(), scopes: z.array(z.string()) })
const KEY = /^rk_[0-9a-f]{16}_[A-Za-z0-9_-]{43}$/

async function startDaemon(t: Test, data: string, args: readonly string[] = []) {
  const daemon = await startChildDaemon({
    name: 'coordinator',
    args: ['coordinator', '--no-mdns', '--model=tiny-chat', '--http=127.0.0.1:0', `--data=${data}`, ...args],
    env: {},
    logPath: join(data, 'coordinator.log')
  })
  t.teardown(() => daemon.stop())
  return { daemon, url: z.string().parse(daemon.ready.http) }
}

t.test('the first key is made on the data directory, and opens the coordinator', async t => {
  const data = t.testdir({})
  const refused = await runCommand(['coordinator', '--http', '0.0.0.0:0', '--no-mdns', '--data', data])
  t.equal(refused.code, 2)
  t.match(refused.stderr, /other machines can reach 0\.0\.0\.0.*\n.*keys create --admin/)

  const { code, stdout, stderr } = await runCommand(['keys', 'create', '--admin', '--data', data])
  t.equal(code, 0, stderr)
  t.match(stdout.trimEnd(), KEY, 'the key and nothing else')
  t.match(stderr, /only time/)
  const key = stdout.trim()

  const { daemon, url } = await startDaemon(t, data)
  const models = (apiKey?: string) => new MeshApi(url, apiKey).models()
  await t.rejects(models(), { code: 'unauthenticated', message: /no API key/ })
  t.match(await models(key), [{ id: 'tiny-chat' }])
  const env = { RESULTITY_API_KEY: key, RESULTITY_URL: url }
  t.match(await runCommand(['status'], { env }), { code: 0, stdout: /no node has joined/ })

  const made = await runCommand(['keys', 'create', '--name', 'laptop', '--expires', '30d', '--json'], { env })
  const laptop = created.parse(JSON.parse(made.stdout))
  t.match(laptop, { name: 'laptop', scopes: ['inference', 'read-usage'], key: KEY })
  t.match(await runCommand(['keys', 'list'], { env }), { stdout: new RegExp(`${laptop.id} +laptop +default`) })
  const rotated = await runCommand(['keys', 'rotate', laptop.id], { env })
  t.match(rotated.stdout.trimEnd(), KEY)
  await t.rejects(models(laptop.key), { code: 'unauthenticated' })
  t.match(await runCommand(['keys', 'revoke', laptop.id], { env }), { stdout: `${laptop.id} is revoked\n` })
  await t.rejects(models(rotated.stdout.trim()), { code: 'unauthenticated', message: /revoked/ })
  t.match(await runCommand(['keys', 'revoke', 'nobody'], { env }), { code: 1, stderr: /no key "nobody"/ })

  t.match(await runCommand(['keys', 'list', '--data', data, '--url', url]), {
    code: 1,
    stderr: /wants an admin key.*\n.*RESULTITY_API_KEY/
  })
  await daemon.stop()
  const offline = await runCommand(['keys', 'list', '--data', data, '--json'])
  t.match(JSON.parse(offline.stdout), [{ name: 'laptop', revoked_at: Number }, { scopes: ['admin'] }])
  t.notMatch(offline.stdout, /rk_|sha256/i)
})

t.test('a coordinator that asks for no key yet makes the first one itself', async t => {
  const data = t.testdir({})
  const { url } = await startDaemon(t, data)
  const wrong = await runCommand(['keys', 'create', '--url', url])
  t.match(wrong, { code: 1, stderr: /first key must have the scope "admin"/ })
  const { stdout } = await runCommand(['keys', 'create', '--admin', '--url', url])
  await t.rejects(new MeshApi(url).models(), { code: 'unauthenticated' })
  await t.resolves(new MeshApi(url, stdout.trim()).models())
})

t.test('options of a key are what the admin API takes', async t => {
  const now = Date.UTC(2030, 0, 1)
  t.strictSame(toNewKey({}, now), {})
  t.strictSame(
    toNewKey(
      {
        admin: true,
        scope: 'inference,webhooks',
        name: 'x',
        namespace: 'team',
        expires: '12h',
        requestsPerSecond: '0.5',
        tokensPerMinute: '1000',
        limits: '{"endpoints":{"/v1/embeddings":{"burst":3}}}'
      },
      now
    ),
    {
      name: 'x',
      namespace: 'team',
      scopes: ['inference', 'webhooks', 'admin'],
      limits: {
        endpoints: { '/v1/embeddings': { burst: 3 } },
        requests_per_second: 0.5,
        tokens_per_minute: 1000
      },
      expires_at: now / 1000 + 12 * 3600
    }
  )
  t.equal(toNewKey({ expires: '2031-02-03' }, now).expires_at, Date.UTC(2031, 1, 3) / 1000)
  t.equal(parseDuration('90s', '--x'), 90)
  const mistakes = [
    [{ expires: 'soon' }, /--expires: expected a time/],
    [{ expires: '0d' }, /--expires/],
    [{ limits: '[]' }, /--limits: expected a JSON object/],
    [{ limits: '{' }, /--limits/],
    [{ burst: 'many' }, /--burst: expected a number/],
    [{ concurrentJobs: '-1' }, /--concurrent-jobs/]
  ] as const
  for (const [options, message] of mistakes) {
    t.throws(() => toNewKey(options, now), { code: 'settings_invalid', message })
  }
})
