import { DEFAULT_HTTP_PORT } from '../settings/schema.ts'
import type { PlacedModel } from './placed.ts'

type Served = Pick<PlacedModel, 'model' | 'kind'>

/** `--url URL` for the commands that talk to the API, behind a space; nothing where they look there anyway. */
export function urlOption(http: string): string {
  return http === `http://127.0.0.1:${DEFAULT_HTTP_PORT}` ? '' : ` --url ${http}`
}

/**
 * What to try with the models that are served: a command for each kind of model. The file that a voice writes is the one
 * that is heard next, and a picture that is drawn the one that is described.
 *
 * @param http base URL of the API
 * @returns lines for a shell; one at least
 */
export function nextCommands(http: string, models: readonly Served[]): readonly string[] {
  const firstOf = (kind: Served['kind']): string | undefined => models.find(model => model.kind === kind)?.model
  const post = (path: string, body: object): string =>
    `curl ${http}${path} -H 'content-type: application/json' -d ${quoted(JSON.stringify(body))}`
  const commands: string[] = []
  if (firstOf('decoder') !== undefined) commands.push(`npx resultity chat${urlOption(http)}`)
  const voice = firstOf('voice')
  if (voice !== undefined) {
    commands.push(`${post('/v1/audio/speech', { model: voice, input: 'Hello from the mesh.' })} -o speech.mp3`)
  }
  const speech = firstOf('speech')
  if (speech !== undefined) {
    commands.push(`curl ${http}/v1/audio/transcriptions -F file=@speech.mp3 -F ${quoted(`model=${speech}`)}`)
  }
  const painter = firstOf('diffusion')
  if (painter !== undefined) {
    const drawn = post('/v1/images/generations', { model: painter, prompt: 'A cat on a mat.' })
    // the answer has a link to the picture
    const link = String.raw`sed -n 's/.*"url":"\([^"]*\)".*/\1/p'`
    commands.push(`curl "$(${drawn} | ${link})" -o picture.png`)
  }
  const captioner = firstOf('captioner')
  if (captioner !== undefined) {
    commands.push(`curl ${http}/v1/images/description -F image=@picture.png -F ${quoted(`model=${captioner}`)}`)
  }
  const encoder = firstOf('encoder')
  if (encoder !== undefined) commands.push(post('/v1/embeddings', { model: encoder, input: 'A cat sat on the mat.' }))
  return commands.length === 0 ? [`curl ${http}/v1/models`] : commands
}

/** One word of a POSIX shell. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
}
