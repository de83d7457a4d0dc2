import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { type PostInit, post, systemResolve } from '../src/webhooks/post.ts'
import { isPublicAddress } from '../src/webhooks/public-address.ts'
import { parseTarget } from '../src/webhooks/target.ts'

const STRICT = { private: false }
const BASE: PostInit = { private: false, timeoutMs: 600_000, answerBytesMax: 1024, resolve: systemResolve }

t.test('an address is public only when the whole internet reaches the same machine by it', async t => {
  const inner = [
    ...['127.0.0.1', '127.255.255.254', '0.0.0.0', '10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.1.1'],
    ...['169.254.169.254', '169.254.170.2', '100.64.0.1', '100.100.100.200', '192.0.0.192', '198.18.0.1'],
    ...['192.0.2.1', '198.51.100.1', '203.0.113.1', '224.0.0.1', '240.0.0.1', '255.255.255.255', '168.63.129.16'],
    ...['::', '::1', 'fe80::1', 'fe80::1%eth0', 'fc00::1', 'fd00:ec2::254', 'ff02::1', '2001:db8::1'],
    ...['::ffff:127.0.0.1', '::ffff:7f00:1', '::ffff:169.254.169.254', '64:ff9b::7f00:1', '64:ff9b::a9fe:a9fe'],
    ...[
      '::7f00:1',
      '::a9fe:a9fe',
      '64:ff9b:1::7f00:1',
      '4000::1',
      '2002:7f00:1::',
      '2001:0:4136:e378::1',
      '100::1',
      '',
      'localhost',
      '1.2.3.4.5',
      'example.com'
    ]
  ]
  for (const address of inner) t.notOk(isPublicAddress(address), address)
  for (const address of ['1.1.1.1', '8.8.8.8', '172.32.0.1', '192.169.0.1', '2606:4700:4700::1111', '::ffff:8.8.8.8']) {
    t.ok(isPublicAddress(address), address)
  }
})

t.test('a URL that leads inside is refused, however it is written', async t => {
  const urls = [
    ...['https://127.0.0.1/', 'https://127.1/', 'https://2130706433/', 'https://0x7f000001/', 'https://0177.0.0.1/'],
    ...['https://0/', 'https://[::1]/', 'https://[::ffff:127.0.0.1]/', 'https://[::ffff:a9fe:a9fe]/'],
    ...['https://[::127.0.0.1]/', 'https://[64:ff9b::10.0.0.1]/'],
    ...['https://169.254.169.254/latest/meta-data/', 'https://[fd00:ec2::254]/', 'https://10.1.2.3:8443/x'],
    ...['http://example.com/', 'ftp://example.com/', 'file:///etc/passwd', 'javascript:alert(1)', 'data:,x'],
    ...['https://user:password@example.com/', 'https://user@example.com/', 'https://', 'example.com', '', '//x'],
    `https://example.com/${'x'.repeat(2048)}`
  ]
  for (const url of urls) {
    t.throws(() => parseTarget(url, STRICT), { code: 'peer_refused', details: { param: 'url' } }, url.slice(0, 64))
  }
  for (const url of ['https://example.com/hook?token=1', 'https://example.com:8443', 'https://1.1.1.1/x']) {
    t.equal(parseTarget(url, STRICT).href, new URL(url).href)
  }
  t.ok(parseTarget('http://127.0.0.1:1/', { private: true }), 'where the operator allows it')
  t.throws(() => parseTarget('ftp://127.0.0.1/', { private: true }), { code: 'peer_refused' })
})

/** A server that nobody may reach. */
async function trap(t: Test) {
  const connections: Socket[] = []
  const server = createTcpServer(socket => {
    connections.push(socket)
    socket.on('error', () => {})
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of connections) socket.destroy()
    server.close()
  })
  return { connections, port: (server.address() as AddressInfo).port }
}

t.test('a name is judged by where it leads at the moment of the connection', async t => {
  const { connections, port } = await trap(t)
  const inner = { address: '127.0.0.1', family: 4 }
  const outer = { address: '1.1.1.1', family: 4 }
  const answers = [
    [inner],
    [outer, inner],
    [{ address: '::1', family: 6 }],
    [{ address: '::ffff:127.0.0.1', family: 6 }]
  ]
  for (const addresses of answers) {
    let asked = 0
    const resolve = async () => {
      asked += 1
      return addresses
    }
    await t.rejects(post(`https://rebound.example:${port}/`, '{}', {}, { ...BASE, resolve }), {
      code: 'peer_refused',
      message: /private network/
    })
    t.equal(asked, 1, 'the name is looked up once: what was checked is what is connected to')
  }
  await t.rejects(post(`https://localhost:${port}/`, '{}', {}, BASE), { code: 'peer_refused' })
  t.equal(connections.length, 0, 'nothing was connected to')
  await t.rejects(post('https://nowhere.example/', '{}', {}, { ...BASE, resolve: async () => [] }), {
    code: 'peer_unreachable'
  })
  const gone = Object.assign(new Error('queryA ENOTFOUND at 10.0.0.53'), { code: 'ENOTFOUND' })
  await t.rejects(post('https://nowhere.example/', '{}', {}, { ...BASE, resolve: () => Promise.reject(gone) }), {
    code: 'peer_unreachable',
    message: 'the receiver cannot be reached: ENOTFOUND'
  })
})

t.test('an answer is taken as it is: no redirect, no endless body, no endless wait', async t => {
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`)
    if (request.url === '/redirect') response.writeHead(307, { location: '/elsewhere' }).end()
    else if (request.url === '/endless') {
      response.writeHead(200)
      const pour = (): void => {
        while (response.write('x'.repeat(1024))) if (response.destroyed) return
      }
      response.on('drain', pour)
      pour()
    } else if (request.url === '/break') request.socket.destroy()
    else if (request.url !== '/silent') response.writeHead(204).end()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  const init = { ...BASE, private: true }
  const send = (path: string, over: Partial<PostInit> = {}) =>
    post(`http://127.0.0.1:${port}${path}`, '{"a":1}', { 'x-test': '1' }, { ...init, ...over })
  t.equal(await send('/'), 204)
  t.equal(await send('/redirect'), 307)
  t.equal(await send('/endless'), 200)
  await t.rejects(send('/break'), { code: 'peer_unreachable', message: /ECONNRESET/ })
  await t.rejects(send('/silent', { timeoutMs: 50 }), { code: 'deadline_exceeded' })
  t.strictSame(asked, ['POST /', 'POST /redirect', 'POST /endless', 'POST /break', 'POST /silent'])
})
