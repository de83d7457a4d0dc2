import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { MeshError, safeParse } from '@resultity/interface'
import { z } from 'zod'
import { nearestName } from './nearest-name.ts'
import {
  defaultSettings,
  flagOf,
  type SettingName,
  type Settings,
  settingNames,
  settingsSchema,
  variableOf
} from './schema.ts'

export const CONFIG_FILE = 'config.json'
const CONFIG_BYTES_MAX = 1024 * 1024

/** The user's settings before they are checked. */
export interface SettingsInput {
  /** Flags by setting name; undefined where not given. */
  readonly flags: Partial<Record<SettingName, unknown>>
  readonly env: Readonly<Record<string, string | undefined>>
  /** Data directory when neither a flag nor a variable names one. */
  readonly defaultData: string
}

export type ResolvedSettings = Pick<Settings, 'data' | keyof typeof defaultSettings> & Partial<Settings>

interface Entry {
  readonly value: unknown
  /** Where it was said, as the user would find it: a flag, a variable, a key of the file. */
  readonly place: string
}

/**
 * Flags over variables over the data directory's `config.json` over defaults.
 *
 * @throws MeshError `settings_invalid`, naming the place of the wrong entry
 */
export async function resolveSettings(input: SettingsInput): Promise<ResolvedSettings> {
  const variables = fromVariables(input.env)
  const flags = fromFlags(input.flags)
  const data = check('data', flags.data ?? variables.data ?? { value: input.defaultData, place: 'default' })
  const file = await fromFile(join(data, CONFIG_FILE))
  const settings: Partial<Record<SettingName, unknown>> = { ...defaultSettings, data }
  for (const name of settingNames) {
    // the file is checked even where a flag overrides it: a wrong entry is better found now than later
    for (const source of [file, variables, flags]) {
      const entry = source[name]
      if (entry !== undefined) settings[name] = check(name, entry)
    }
  }
  // every value comes from its schema above or from the typed defaults
  return settings as ResolvedSettings
}

function check<Name extends SettingName>(name: Name, entry: Entry): Settings[Name] {
  const schema: z.ZodType<unknown> = settingsSchema.shape[name]
  const result = safeParse(schema, entry.value)
  if (result.success) return result.data as Settings[Name]
  const [issue] = result.error.issues
  const inside = (issue?.path ?? []).map(key => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`)).join('')
  throw new MeshError('settings_invalid', `${entry.place}${inside}: ${issue?.message ?? 'is not valid'}`, {
    hint: `It is the setting for: ${settingsSchema.shape[name].description}.`,
    details: { param: name, place: entry.place }
  })
}

function fromFlags(flags: SettingsInput['flags']): Partial<Record<SettingName, Entry>> {
  const given = settingNames.filter(name => flags[name] !== undefined)
  return Object.fromEntries(given.map(name => [name, { value: flags[name], place: flagOf(name) }]))
}

function fromVariables(env: SettingsInput['env']): Partial<Record<SettingName, Entry>> {
  const entries: Partial<Record<SettingName, Entry>> = {}
  const known = new Map(settingNames.map(name => [variableOf(name), name]))
  for (const [variable, value] of Object.entries(env)) {
    if (!variable.startsWith('RESULTITY_') || value === undefined || value === '') continue
    const name = known.get(variable)
    if (name !== undefined) entries[name] = { value, place: variable }
    else refuseSlip(variable, [...known.keys()])
  }
  return entries
}

/** Other programs may use the prefix too; only what looks like a misspelling of ours is refused. */
function refuseSlip(variable: string, known: readonly string[]): void {
  const meant = nearestName(variable, known)
  if (meant === undefined) return
  throw new MeshError('settings_invalid', `${variable}: there is no such variable`, { hint: `Did you mean ${meant}?` })
}

async function fromFile(path: string): Promise<Partial<Record<SettingName, Entry>>> {
  const content = await readConfig(path)
  const entries: Partial<Record<SettingName, Entry>> = {}
  for (const [key, value] of Object.entries(content)) {
    const name = settingNames.find(candidate => candidate === key)
    if (name === undefined || name === 'data') throw unknownKey(path, key)
    entries[name] = { value, place: `${path}: ${name}` }
  }
  return entries
}

function unknownKey(path: string, key: string): MeshError {
  const names = settingNames.filter(name => name !== 'data')
  const meant = nearestName(key, names)
  return new MeshError('settings_invalid', `${path}: there is no setting "${key}"`, {
    hint: meant === undefined ? `The settings are ${names.join(', ')}.` : `Did you mean "${meant}"?`
  })
}

async function readConfig(path: string): Promise<Record<string, unknown>> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) return {}
    throw new MeshError('settings_invalid', `${path} cannot be read`, { cause: error, hint: 'Check its permissions.' })
  }
  try {
    if (text.length > CONFIG_BYTES_MAX) throw new RangeError(`it is longer than ${CONFIG_BYTES_MAX} bytes`)
    return z.record(z.string(), z.unknown()).parse(JSON.parse(text))
  } catch (error) {
    const reason = error instanceof z.ZodError ? 'it is not a JSON object' : MeshError.from(error).message
    throw new MeshError('settings_invalid', `${path}: ${reason}`, {
      cause: error,
      hint: 'Write settings as {"name": value}.'
    })
  }
}
