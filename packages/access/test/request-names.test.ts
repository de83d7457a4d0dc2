import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import t from 'tap'
import { HostNames, hostOf } from '../src/request-host.ts'
import { Origins } from '../src/request-origin.ts'

t.test('a host is read from an authority, and nothing that only looks like one', async t => {
  const hosts: Readonly<Record<string, string | undefined>> = {
    localhost: 'localhost',
    'LocalHost:8420': 'localhost',
    'localhost.:8420': 'localhost',
    '127.0.0.1.': '127.0.0.1',
    '[::1]:8420': '::1',
    '[::FFFF:127.0.0.1]': '::ffff:127.0.0.1',
    'mesh.example:1': 'mesh.example',
    '': undefined,
    '::1': undefined,
    '[localhost]': undefined,
    '[fe80::1%25eth0]': undefined,
    'localhost:8420@attacker.example': undefined,
    'attacker.example/localhost': undefined,
    'attacker.example?localhost': undefined,
    'attacker.example#localhost': undefined,
    'attacker.example\\localhost': undefined,
    'localhost, attacker.example': undefined,
    'localhost:': undefined,
    'localhost:8420:8420': undefined,
    ｌocalhost: undefined
  }
  for (const [authority, host] of Object.entries(hosts)) t.equal(hostOf(authority), host, authority)
  assertProperty(
    fc.property(fc.string({ unit: 'binary' }), text => {
      const host = hostOf(text)
      return host === undefined || /^[a-z0-9._:-]*$/.test(host)
    }),
    { numRuns: 2000 }
  )
})

t.test(
  'a coordinator answers to this machine, to the address it was reached at, and to names it was given',
  async t => {
    const hosts = new HostNames(['192.0.2.7', 'Mesh.Example', '2001:db8::1'])
    for (const own of ['localhost:1', '127.0.0.1', '127.9.9.9', '[::1]:8420', 'localhost.', '[::ffff:127.0.0.1]']) {
      t.ok(hosts.allow(own, '192.0.2.1'), own)
    }
    for (const named of ['192.0.2.7:8420', 'mesh.example', 'MESH.EXAMPLE.:80', '[2001:DB8:0::1]']) {
      t.ok(hosts.allow(named, undefined), named)
    }
    t.ok(hosts.allow('192.0.2.99:8420', '192.0.2.99'))
    t.ok(hosts.allow('192.0.2.99:8420', '::ffff:192.0.2.99'), 'of a socket that takes both kinds')
    t.ok(hosts.allow('[fe80::1]', 'fe80::1%eth0'))
    const foreign = ['attacker.example', 'localhost.attacker.example', '127.0.0.1.attacker.example', 'xlocalhost']
    for (const other of [...foreign, '192.0.2.98', '2130706433', '0x7f000001', '0177.0.0.1', '127.1', '0.0.0.0', '']) {
      t.notOk(hosts.allow(other, '192.0.2.99'), other)
    }
    t.ok(new HostNames(['*']).allow('anything.example', undefined))
    t.notOk(new HostNames(['*']).allow('a@b', undefined), 'any host, but a host')
  }
)

t.test('pages are told apart by scheme, host and port', async t => {
  const origins = new Origins(['https://chat.example.org'])
  const host = 'localhost:8420'
  const kinds = [
    [{ host }, 'none'],
    [{ host, 'sec-fetch-site': 'none' }, 'none'],
    [{ host, 'sec-fetch-site': 'same-origin' }, 'same'],
    [{ host, 'sec-fetch-site': 'same-site' }, 'foreign'],
    [{ host, 'sec-fetch-site': 'cross-site' }, 'foreign'],
    [{ host, origin: 'http://localhost:8420' }, 'same'],
    [{ host: 'LOCALHOST:8420', origin: 'http://localhost:8420' }, 'same'],
    [{ host: 'localhost', origin: 'http://localhost' }, 'same'],
    [{ host: 'localhost:80', origin: 'http://localhost' }, 'same'],
    [{ host, origin: 'https://localhost:8420' }, 'local'],
    [{ host, origin: 'http://localhost:3000' }, 'local'],
    [{ host, origin: 'http://127.0.0.1:8420' }, 'local'],
    [{ host, origin: 'http://[::1]:8420' }, 'local'],
    [{ host, origin: 'https://chat.example.org' }, 'allowed'],
    [{ host, origin: 'https://chat.example.org:444' }, 'foreign'],
    [{ host, origin: 'http://chat.example.org' }, 'foreign'],
    [{ host, origin: 'null' }, 'foreign'],
    [{ host, origin: '' }, 'foreign'],
    [{ host, origin: 'file://localhost' }, 'foreign'],
    [{ host, origin: 'ftp://localhost' }, 'foreign'],
    [{ host, origin: 'http://localhost.attacker.example' }, 'foreign'],
    [{ host: 'mesh.example', origin: 'https://mesh.example' }, 'same'],
    [{ host: 'mesh.example', origin: 'https://mesh.example:8443' }, 'foreign']
  ] as const
  for (const [headers, kind] of kinds) t.equal(origins.kindOf(headers), kind, JSON.stringify(headers))
  t.equal(new Origins(['*']).kindOf({ host, origin: 'null' }), 'allowed')
  t.equal(new Origins(['*']).kindOf({ host, origin: 'http://localhost:3000' }), 'allowed')
})
