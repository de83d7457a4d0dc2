import { defaultSettings, flagOf, type SettingName, settingNames, settingsSchema, variableOf } from './schema.ts'

const defaultsByName: Partial<Record<SettingName, unknown>> = defaultSettings

/** Every setting as a Markdown table, for docs/settings.md: the schema is the only place that lists them. */
export function settingsReference(): string {
  const rows = settingNames.map(name => {
    const key = name === 'data' ? '–' : `\`${name}\``
    const value = formatDefault(name)
    const shown = value === undefined ? '' : `\`${value}\``
    return `| \`${flagOf(name)}\` | \`${variableOf(name)}\` | ${key} | ${settingsSchema.shape[name].description} | ${shown} |`
  })
  return ['| flag | variable | key in config.json | meaning | default |', '|---|---|---|---|---|', ...rows].join('\n')
}

/** The default of one setting as a user would write it; undefined where it has none. */
export function formatDefault(name: SettingName): string | undefined {
  const value = defaultsByName[name]
  if (value === undefined || (Array.isArray(value) && value.length === 0)) return undefined
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0 ? undefined : showDefault(value)
}

function showDefault(value: unknown): string {
  if (typeof value === 'object' && value !== null && 'host' in value && 'port' in value)
    return `${value.host}:${value.port}`
  if (Array.isArray(value)) return value.join(', ')
  return typeof value === 'string' ? value : JSON.stringify(value)
}
