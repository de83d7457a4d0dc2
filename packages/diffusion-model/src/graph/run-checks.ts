import {
  allFinite,
  type DenoiseInput,
  type DiffusionConfig,
  type Latents,
  latentScale,
  MeshError,
  type Pixels,
  PROMPT_CHUNKS_MAX,
  type PriorInput,
  picturePixelsMax,
  sideStep,
  type TextStates,
  TIME_ID_COUNT
} from '@resultity/interface'

/** @throws MeshError `invalid_request` for what are no chunks of these encoders */
export function checkPrompt({ textEncoders }: DiffusionConfig, prompt: readonly (readonly Uint32Array[])[]): void {
  const count = prompt[0]?.length ?? 0
  if (prompt.length !== textEncoders.length || count < 1 || count > PROMPT_CHUNKS_MAX) {
    const taken = `${textEncoders.length} encoders take 1 to ${PROMPT_CHUNKS_MAX} chunks`
    throw invalid('prompt', `${count} chunks came for ${prompt.length} text encoders; ${taken}`)
  }
  for (const [index, { length, vocabularySize }] of textEncoders.entries()) {
    const chunks = prompt[index] ?? []
    if (chunks.length !== count)
      throw invalid('prompt', `text encoder ${index + 1} got ${chunks.length} of ${count} chunks`)
    for (const chunk of chunks) {
      if (chunk.length !== length)
        throw invalid('prompt', `a chunk of ${chunk.length} tokens came, ${length} are taken`)
      const wrong = chunk.find(token => token >= vocabularySize)
      if (wrong === undefined) continue
      throw invalid('prompt', `there is no token ${wrong}, the vocabulary has ${vocabularySize}`)
    }
  }
}

/** @throws MeshError `invalid_request` for sizes that are not the denoiser's and for what is no number, `resource_exhausted` */
export function checkDenoise(config: DiffusionConfig, { latents, timestep, text, timeIds }: DenoiseInput): void {
  const { inChannels, addition } = config.denoiser
  checkLatents(config, latents, inChannels)
  const step = sideStep(config) / latentScale(config)
  if (latents.height % step !== 0 || latents.width % step !== 0) {
    throw invalid('latents', `${latents.height} × ${latents.width} latents came, and multiples of ${step} are taken`)
  }
  if (!Number.isFinite(timestep)) throw invalid('timestep', `${timestep} is no step`)
  checkText(config, text)
  const idCount = addition === undefined ? 0 : TIME_ID_COUNT
  if (timeIds.length !== idCount || !timeIds.every(Number.isFinite)) {
    throw invalid('timeIds', `${timeIds.length} numbers beside the time came, ${idCount} are taken`)
  }
}

function checkText({ denoiser }: DiffusionConfig, { states, length, size, pooled }: TextStates): void {
  const pooledSize = denoiser.addition?.pooledSize ?? 0
  const own = size === denoiser.contextSize && states.length === length * size && pooled.length === pooledSize
  const fits = own && (denoiser.embedding === undefined || length === 1)
  if (!Number.isInteger(length) || length < 1 || !fits) {
    const taken = `${denoiser.contextSize} of each token and ${pooledSize} of all are taken`
    throw invalid('text', `${states.length} numbers of ${length} tokens and ${pooled.length} of all came; ${taken}`)
  }
  if (!allFinite(states) || !allFinite(pooled)) throw invalid('text', 'the text has what is no number')
}

/** @throws MeshError `invalid_request` for sizes that are not the prior's, and for what is no number */
export function checkPrior({ prior }: DiffusionConfig, { noisy, timestep, text, tokenCount }: PriorInput): void {
  const { embeddingSize: size = 0, length = 0 } = prior ?? {}
  const sizes = [noisy.length, text.size, text.pooled.length]
  const states = text.length === length && text.states.length === length * size
  if (!states || sizes.some(own => own !== size)) {
    throw invalid('text', `${text.length} states came; ${length}, a vector and an embedding of ${size} are taken`)
  }
  if (!Number.isInteger(tokenCount) || tokenCount < 1 || tokenCount > length) {
    throw invalid('text', `${tokenCount} tokens of ${length}`)
  }
  if (!Number.isFinite(timestep)) throw invalid('timestep', `${timestep} is no step`)
  if (![noisy, text.states, text.pooled].every(allFinite)) throw invalid('text', 'there is what is no number')
}

/** @throws MeshError `invalid_request`, `resource_exhausted` for more than a picture may have */
export function checkLatents(config: DiffusionConfig, latents: Latents, wanted: number): void {
  const { channels, height, width, values } = latents
  const whole = Number.isInteger(height) && Number.isInteger(width) && height >= 1 && width >= 1
  if (!whole || channels !== wanted || values.length !== channels * height * width) {
    const came = `${values.length} values of ${channels} × ${height} × ${width} latents came`
    throw invalid('latents', `${came}, and ${wanted} channels are taken`)
  }
  checkArea(config, height * width * latentScale(config) ** 2)
  if (!allFinite(values)) throw invalid('latents', 'the latents have what is no number')
}

/** @throws MeshError `invalid_request`, `resource_exhausted` for more than a picture may have */
export function checkPixels(config: DiffusionConfig, { height, width, values }: Pixels): void {
  const scale = latentScale(config)
  const fits = (side: number): boolean => Number.isInteger(side) && side >= scale && side % scale === 0
  if (!fits(height) || !fits(width) || values.length !== 3 * height * width) {
    const came = `${values.length} values of ${height} × ${width} pixels came`
    throw invalid('pixels', `${came}, and multiples of ${scale} are taken`)
  }
  checkArea(config, height * width)
  if (!allFinite(values)) throw invalid('pixels', 'the picture has what is no number')
}

function checkArea(config: DiffusionConfig, pixels: number): void {
  const most = picturePixelsMax(config)
  if (pixels <= most) return
  throw new MeshError('resource_exhausted', `a picture of ${pixels} pixels is over the model's limit of ${most}`, {
    hint: 'ask for a smaller picture'
  })
}

function invalid(param: string, message: string): MeshError {
  return new MeshError('invalid_request', message, { details: { param } })
}
