import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { MeshError } from '@resultity/interface'
import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import t from 'tap'
import { formatByteSize, parseByteSize } from '../src/settings/byte-size.ts'
import { userDataDirectory } from '../src/settings/data-directory.ts'
import { nearestName } from '../src/settings/nearest-name.ts'
import { settingsReference } from '../src/settings/reference.ts'
import { resolveSettings, type SettingsInput } from '../src/settings/resolve.ts'
import { settingNames, variableOf } from '../src/settings/schema.ts'

interface Said {
  readonly flags?: SettingsInput['flags']
  readonly env?: SettingsInput['env']
  readonly config?: unknown
}

t.test('a setting is the flag, else the variable, else the file, else the default', async t => {
  const data = t.testdir({
    'config.json': '{"threads": 1, "http": "127.0.0.1:1", "nodes": 7, "label": {"zone": "attic"}}'
  })
  const env = {
    RESULTITY_THREADS: '2',
    RESULTITY_HTTP: '[::1]:2',
    RESULTITY_LISTEN: '/ip4/0.0.0.0/tcp/1,/ip6/::/tcp/1'
  }
  const settings = await resolveSettings({ flags: { threads: '3' }, env, defaultData: data })
  t.match(settings, {
    data,
    threads: 3,
    http: { host: '::1', port: 2 },
    nodes: 7,
    label: { zone: 'attic' },
    listen: ['/ip4/0.0.0.0/tcp/1', '/ip6/::/tcp/1'],
    mdns: true,
    url: 'http://127.0.0.1:8420'
  })
})

t.test('a subcloud says which nodes it has, by labels or in full', async t => {
  const lab = { region: 'eu', nodes: ['12D3'], models: ['tiny-chat'], isolated: true }
  const data = t.testdir({ 'config.json': JSON.stringify({ subcloud: { lab } }) })
  const fromFile = await resolveSettings({ flags: {}, env: {}, defaultData: data })
  t.same(fromFile.subcloud, { lab })
  const subcloud = ['eu=region=eu', 'gold=region=eu+tier=a=b', `lab=${JSON.stringify(lab)}`]
  const fromFlags = await resolveSettings({ flags: { subcloud }, env: {}, defaultData: data })
  const gold = { labels: { region: 'eu', tier: 'a=b' } }
  t.same(fromFlags.subcloud, { eu: { labels: { region: 'eu' } }, gold, lab })
})

t.test('an alias names a model or an ensemble, as text or in full', async t => {
  const panel = { models: ['a', 'b'], strategy: 'judge', judge: { model: 'c' } }
  const data = t.testdir({ 'config.json': JSON.stringify({ alias: { panel } }) })
  const fromFile = await resolveSettings({ flags: {}, env: {}, defaultData: data })
  t.same(fromFile.alias, { panel })
  const alias = ['gpt-4o=tiny-chat', 'quick=fastest:hf:org/a+b', `panel=${JSON.stringify(panel)}`]
  const fromFlags = await resolveSettings({ flags: { alias }, env: {}, defaultData: data })
  const quick = { strategy: 'fastest', models: ['hf:org/a', 'b'] }
  t.same(fromFlags.alias, { 'gpt-4o': 'tiny-chat', quick, panel })
})

t.test('a program is its path, or off', async t => {
  const data = t.testdir({ 'config.json': '{"ffmpeg": false}' })
  const ffmpegOf = async (flags: SettingsInput['flags'], defaultData = '/nowhere') =>
    (await resolveSettings({ flags, env: {}, defaultData })).ffmpeg
  t.equal(await ffmpegOf({}), undefined)
  t.equal(await ffmpegOf({ ffmpeg: '/usr/bin/ffmpeg' }), '/usr/bin/ffmpeg')
  t.equal(await ffmpegOf({ ffmpeg: 'off' }), false)
  t.equal(await ffmpegOf({}, data), false)
})

t.test('the address of the API has no slash at its end', async t => {
  const { publicUrl } = await resolveSettings({
    flags: { publicUrl: 'https://Here:443/' },
    env: {},
    defaultData: '/nowhere'
  })
  t.equal(publicUrl, 'https://here')
})

t.test('the file is read from the data directory that a flag or a variable names', async t => {
  const first = t.testdir({ flag: { 'config.json': '{"threads": 4}' }, variable: { 'config.json': '{"threads": 5}' } })
  const env = { RESULTITY_DATA: join(first, 'variable') }
  const byVariable = await resolveSettings({ flags: {}, env, defaultData: '/nowhere' })
  t.equal(byVariable.threads, 5)
  const byFlag = await resolveSettings({ flags: { data: join(first, 'flag') }, env, defaultData: '/nowhere' })
  t.equal(byFlag.threads, 4)
})

const wrong: readonly (Said & { readonly id: string; readonly message: RegExp; readonly hint?: RegExp })[] = [
  { id: 'a word for a number', flags: { threads: 'many' }, message: /^--threads: expected a whole number/ },
  { id: 'no program', flags: { ffmpeg: '' }, message: /^--ffmpeg: expected the path of a program, or off/ },
  { id: 'too long', flags: { recordingHours: '25' }, message: /^--recording-hours: must be 24 or less/ },
  {
    id: 'a URL with a path',
    flags: { publicUrl: 'https://here/v1' },
    message: /^--public-url: expected a URL without/
  },
  { id: 'another protocol', flags: { publicUrl: 'ftp://here' }, message: /^--public-url: expected a URL without/ },
  { id: 'a gigapixel', flags: { pictureMegapixels: '1000' }, message: /^--picture-megapixels: must be 256 or less/ },
  { id: 'none of something', flags: { nodes: '0' }, message: /^--nodes: must be 1 or more/ },
  { id: 'a fraction', config: { threads: 1.5 }, message: /config\.json: threads: expected a whole number/ },
  { id: 'no port', env: { RESULTITY_HTTP: 'localhost' }, message: /^RESULTITY_HTTP: expected HOST:PORT/ },
  {
    id: 'a port too high',
    flags: { http: 'localhost:70000' },
    message: /^--http: expected HOST:PORT with a port up to/
  },
  { id: 'a size without sense', config: { memory: '8 elephants' }, message: /config\.json: memory: expected a size/ },
  { id: 'a negative size', config: { memory: -1 }, message: /config\.json: memory: expected a size/ },
  { id: 'no multiaddress', flags: { listen: ['0.0.0.0:1'] }, message: /^--listen\[0\]: expected a multiaddress/ },
  { id: 'a second entry', config: { join: ['/ip4/1.1.1.1/tcp/1', 3] }, message: /config\.json: join\[1\]: / },
  { id: 'a label without a value', flags: { label: ['zone'] }, message: /^--label\.zone: expected NAME=VALUE/ },
  { id: 'a label name', flags: { label: ['a b=c'] }, message: /^--label.*: a label name has letters/ },
  { id: 'a subcloud of no nodes', flags: { subcloud: ['eu='] }, message: /^--subcloud\.eu/ },
  { id: 'a subcloud of a wrong name', flags: { subcloud: ['E U=a=b'] }, message: /^--subcloud/ },
  {
    id: 'a subcloud of an unknown key',
    config: { subcloud: { eu: { region: 'eu', isolatet: true } } },
    message: /subcloud\.eu.*isolatet/
  },
  { id: 'an alias without a model', flags: { alias: ['fast'] }, message: /^--alias\.fast: / },
  {
    id: 'an alias of no known strategy',
    config: { alias: { fast: { models: ['a'], strategy: 'guess' } } },
    message: /alias/
  },
  { id: 'an address of another kind', flags: { url: 'ftp://x' }, message: /^--url: expected a URL/ },
  { id: 'a switch', env: { RESULTITY_MDNS: 'maybe' }, message: /^RESULTITY_MDNS: expected true or false/ },
  {
    id: 'no tuning',
    flags: { tuning: 'off=magic' },
    message: /^--tuning: expected on, off, or off= and some of file-/
  },
  { id: 'a level', config: { logLevel: 'loud' }, message: /config\.json: logLevel: expected fatal, error/ },
  {
    id: 'an unknown key',
    config: { thread: 1 },
    message: /there is no setting "thread"/,
    hint: /Did you mean "threads"/
  },
  {
    id: 'a key like no other',
    config: { colour: 1 },
    message: /there is no setting "colour"/,
    hint: /The settings are http,/
  },
  { id: 'data in the file', config: { data: '/x' }, message: /there is no setting "data"/ },
  {
    id: 'a slip in a variable',
    env: { RESULTITY_THREDS: '1' },
    message: /^RESULTITY_THREDS: /,
    hint: /RESULTITY_THREADS/
  },
  { id: 'a file that is a list', config: [], message: /config\.json: it is not a JSON object/ },
  {
    id: 'a wrong entry in the file under a right flag',
    flags: { nodes: '1' },
    config: { nodes: 'x' },
    message: /config\.json: nodes/
  }
]

for (const { id, message, hint = /./, ...said } of wrong) {
  t.test(`a wrong setting is named with its place: ${id}`, async t => {
    const data = t.testdir(said.config === undefined ? {} : { 'config.json': JSON.stringify(said.config) })
    const resolving = resolveSettings({ flags: said.flags ?? {}, env: said.env ?? {}, defaultData: data })
    await t.rejects(resolving, { code: 'settings_invalid', message, hint })
  })
}

t.test('a file that is no JSON is named', async t => {
  const data = t.testdir({ 'config.json': '{"threads": ' })
  const error = await resolveSettings({ flags: {}, env: {}, defaultData: data }).catch(MeshError.from)
  t.match(error, { code: 'settings_invalid', message: /config\.json: .*JSON/ })
})

t.test('variables of other programs pass', async t => {
  await resolveSettings({ flags: {}, env: { RESULTITY_SOMETHING_ELSE: 'x', PATH: '/bin' }, defaultData: t.testdir({}) })
})

t.test('sizes are read as people write them', t => {
  const sizes: readonly [string, number | undefined][] = [
    ['8GiB', 8 * 2 ** 30],
    ['1.5 gib', 1.5 * 2 ** 30],
    ['500MB', 5e8],
    ['512', 512],
    ['', undefined],
    ['GiB', undefined],
    ['8XB', undefined],
    ['-1', undefined],
    ['1e9', undefined],
    ['99999999TiB', undefined]
  ]
  for (const [text, bytes] of sizes) t.equal(parseByteSize(text), bytes, `"${text}"`)
  t.equal(formatByteSize(1023), '1023 B')
  t.equal(formatByteSize(141_733_920), '135.2 MiB')
  t.end()
})

t.test('the nearest name is found for one wrong letter, and none for another word', t => {
  assertProperty(
    fc.property(fc.constantFrom(...settingNames.map(variableOf)), fc.nat(), (name, at) => {
      const index = at % name.length
      return nearestName(`${name.slice(0, index)}${name.slice(index + 1)}`, [name]) === name
    })
  )
  t.equal(nearestName('banana', ['threads', 'memory']), undefined)
  t.end()
})

t.test('the data directory follows XDG, and ignores a relative one as XDG says', t => {
  t.equal(userDataDirectory({}, '/home/a'), '/home/a/.local/share/resultity')
  t.equal(userDataDirectory({ XDG_DATA_HOME: '/srv' }, '/home/a'), '/srv/resultity')
  t.equal(userDataDirectory({ XDG_DATA_HOME: 'srv' }, '/home/a'), '/home/a/.local/share/resultity')
  t.end()
})

t.test('docs/settings.md lists the settings as the schema has them', async t => {
  const path = new URL('../../../../docs/settings.md', import.meta.url)
  const text = await readFile(path, 'utf8')
  const [before = '', listed = '', after = ''] = text.split(/<!-- settings:(?:begin|end) -->\n/)
  const parts = [before, `${settingsReference()}\n`, after]
  if (process.env.TAP_SNAPSHOT === '1') {
    await writeFile(path, parts.join('<!-- settings:end -->\n').replace('settings:end', 'settings:begin'))
  } else {
    const hint = 'write it anew with: npm test -- --snapshot packages/cli/dist/test/settings.test.js'
    t.equal(cells(listed), cells(settingsReference()), hint)
  }
})

/** A table without its alignment, which is the formatter's. */
function cells(table: string): string {
  return table
    .replaceAll(/ +/g, ' ')
    .replaceAll(/-{3,}/g, '---')
    .replaceAll('| ---', '|---')
    .replaceAll('--- |', '---|')
    .trim()
}
