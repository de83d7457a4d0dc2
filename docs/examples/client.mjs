// What all examples share: where the mesh is, and which model to ask.
import OpenAI from 'openai'

export const url = process.env.RESULTITY_URL ?? 'http://127.0.0.1:8420'
// on loopback any key will do until you make one
export const apiKey = process.env.RESULTITY_API_KEY ?? 'none'
export const client = new OpenAI({ baseURL: `${url}/v1`, apiKey })

/** The model to ask: the one that is named, or the first that is served. */
export async function model() {
  if (process.env.RESULTITY_MODEL) return process.env.RESULTITY_MODEL
  const { data } = await client.models.list()
  if (data.length === 0) throw new Error(`${url} serves no model yet; see "resultity status"`)
  return data[0].id
}

/** The prompt from the command line. */
export const prompt = process.argv[2] ?? 'What is the capital of France?'
