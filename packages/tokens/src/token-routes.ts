import { type ApiRoute, addRoute, parseInput } from '@resultity/api-kit'
import { requireDecoder } from '@resultity/interface'
import { promptTextOf, templateUseOf, toolUseOf } from '@resultity/openai'
import type { ServedDecoder, ServedModels } from '@resultity/placement'
import type { FastifyInstance } from 'fastify'
import {
  appliedTemplateSchema,
  applyTemplateSchema,
  detokenizedSchema,
  detokenizeSchema,
  type TokenizerInfo,
  tokenizedSchema,
  tokenizerInfoQuerySchema,
  tokenizerInfoSchema,
  tokenizeSchema
} from './token-schema.ts'
import { detokenize, tokenize } from './tokenize.ts'

export interface TokenRouteComponents {
  readonly models: ServedModels
}

const errors = [400, 404, 503]

const routes = {
  tokenize: {
    method: 'POST',
    path: '/tokenize',
    id: 'tokenize',
    summary: 'Token ids of a text, or of a conversation.',
    body: tokenizeSchema,
    answers: { 200: { json: tokenizedSchema } },
    errors
  },
  detokenize: {
    method: 'POST',
    path: '/detokenize',
    id: 'detokenize',
    summary: 'The text of token ids.',
    body: detokenizeSchema,
    answers: { 200: { json: detokenizedSchema } },
    errors
  },
  applyTemplate: {
    method: 'POST',
    path: '/apply-template',
    id: 'applyTemplate',
    summary: 'The prompt that the chat template of a model makes of a conversation.',
    body: applyTemplateSchema,
    answers: { 200: { json: appliedTemplateSchema } },
    errors
  },
  info: {
    method: 'GET',
    path: '/tokenizer_info',
    id: 'getTokenizerInfo',
    summary: 'Chat template and special tokens of a model.',
    query: tokenizerInfoQuerySchema,
    answers: { 200: { json: tokenizerInfoSchema } },
    errors
  }
} as const satisfies Readonly<Record<string, ApiRoute>>

/** What a model reads of a request: as vLLM and llama.cpp show it. */
export function addTokenRoutes(server: FastifyInstance, { models }: TokenRouteComponents): void {
  addRoute(server, routes.tokenize, async request => {
    const body = parseInput(tokenizeSchema, request.body)
    return await tokenize(body, modelOf(models, body.model))
  })
  addRoute(server, routes.detokenize, async request => {
    const { model, tokens } = parseInput(detokenizeSchema, request.body)
    const text = await detokenize(tokens, modelOf(models, model))
    return { prompt: text, content: text }
  })
  addRoute(server, routes.applyTemplate, async request => {
    const body = parseInput(applyTemplateSchema, request.body)
    const model = modelOf(models, body.model)
    const { options } = templateUseOf(body, model)
    return { prompt: await promptTextOf(body.messages, toolUseOf(body), model, options) }
  })
  addRoute(server, routes.info, async request => {
    const { model } = parseInput(tokenizerInfoQuerySchema, request.query)
    return toInfo(modelOf(models, model))
  })
}

/** Clients of servers with one model name none. @throws MeshError `model_not_found`, `unavailable` */
function modelOf(models: ServedModels, name: string | null | undefined): ServedDecoder {
  const decoders = models.list().flatMap(model => (model.kind === 'decoder' ? [model] : []))
  const [only] = decoders
  if (typeof name !== 'string' && models.complete && only !== undefined && decoders.length === 1) return only
  return models.findDecoder(name ?? undefined)
}

function toInfo({ id, tokenizer, placeable }: ServedDecoder): TokenizerInfo {
  const { template, tokens } = tokenizer.config
  return {
    model: id,
    tokenizer_class: 'PreTrainedTokenizerFast',
    chat_template: template,
    bos_token: tokens.bos || null,
    eos_token: tokens.eos || null,
    unk_token: tokens.unk || null,
    pad_token: tokens.pad || null,
    vocab_size: requireDecoder(placeable.manifest).config.vocabularySize,
    model_max_length: placeable.contextLength
  }
}
