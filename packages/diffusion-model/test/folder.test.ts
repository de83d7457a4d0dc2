import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { MeshError } from '@resultity/interface'
import t from 'tap'
import { DESCRIBING_FILES, describeDiffusersFolder } from '../src/import/diffusers-folder.ts'
import { fixtures, publishedTexts, reading } from './support/published-index.ts'

type Texts = Record<string, unknown>

/** The texts of a tiny model's folder. */
function textsOf(name: string): Texts {
  const texts: Texts = {}
  for (const path of DESCRIBING_FILES) {
    try {
      texts[path] = JSON.parse(readFileSync(join(fixtures, name, path), 'utf8'))
    } catch (error) {
      if (error instanceof SyntaxError) texts[path] = readFileSync(join(fixtures, name, path), 'utf8')
    }
  }
  return texts
}

const describe = (texts: Texts) => describeDiffusersFolder(reading(texts)).config

/** The texts with some fields of one file changed. */
function changed(texts: Texts, file: string, fields: Readonly<Record<string, unknown>>): Texts {
  return { ...texts, [file]: { ...Object(texts[file]), ...fields } }
}

t.test('of a Kandinsky, what is not its architecture is refused with the file and the field that say so', async t => {
  const texts = textsOf('tiny-kandinsky')
  const cases: readonly [file: string, fields: Record<string, unknown>, message: RegExp][] = [
    [
      'model_index.json',
      { _class_name: 'KandinskyV22InpaintPipeline' },
      /"_class_name" is "KandinskyV22InpaintPipeline"/
    ],
    ['unet/config.json', { in_channels: 9 }, /takes no mask/],
    ['unet/config.json', { out_channels: 4 }, /latents have 4 channels/],
    ['unet/config.json', { encoder_hid_dim: 24 }, /the denoiser reads 24/],
    ['unet/config.json', { addition_embed_type: 'image_hint' }, /"addition_embed_type" is "image_hint"/],
    ['unet/config.json', { resnet_time_scale_shift: 'default' }, /"resnet_time_scale_shift" is "default"/],
    ['unet/config.json', { up_block_types: ['ResnetUpsampleBlock2D', 'SimpleCrossAttnUpBlock2D'] }, /mirror/],
    ['unet/config.json', { attention_head_dim: 5 }, /headCount/],
    ['movq/config.json', { norm_type: 'group' }, /"norm_type" is "group"/],
    ['movq/config.json', { up_block_types: ['UpDecoderBlock2D', 'AttnUpDecoderBlock2D'] }, /deepest level/],
    ['movq/config.json', { block_out_channels: [16, 32] }, /16 channels/],
    ['movq/config.json', { vq_embed_dim: 8 }, /"vq_embed_dim" is 8/],
    ['prior_prior/config.json', { added_emb_type: null, norm_in_type: 'layer' }, /"norm_in_type" is "layer"/],
    ['prior_prior/config.json', { clip_embed_dim: 8 }, /"clip_embed_dim" is 8, and must be 16/],
    ['prior_prior/config.json', { num_embeddings: 50 }, /it reads one text encoder, of its own sizes/],
    ['prior_scheduler/scheduler_config.json', { prediction_type: 'epsilon' }, /"prediction_type" is "epsilon"/],
    ['prior_scheduler/scheduler_config.json', { variance_type: 'learned_range' }, /"variance_type"/],
    ['prior_image_encoder/config.json', { projection_dim: 8 }, /"projection_dim" is 8/],
    ['prior_image_encoder/config.json', { patch_size: 5 }, /no whole number of parts/],
    ['prior_text_encoder/config.json', { projection_dim: 8 }, /and 16 are read/],
    ['scheduler/scheduler_config.json', { thresholding: true }, /"thresholding"/]
  ]
  t.match(describe(texts), { prior: { length: 77, clip: 5 }, schedule: { scheduler: 'ddpm', clip: 2 } })
  for (const [file, fields, message] of cases) {
    const expected = { code: 'model_invalid', message }
    t.throws(() => describe(changed(texts, file, fields)), expected, `${file} ${JSON.stringify(fields)}`)
  }
  const fixed = changed(texts, 'scheduler/scheduler_config.json', { variance_type: 'fixed_small', clip_sample: false })
  t.match(describe(fixed).schedule, { scheduler: 'ddim', clip: undefined }, 'one that does not add predicted noise')
})

t.test('what is not supported is refused with the file and the field that say so', async t => {
  const texts = textsOf('tiny-sd')
  const cases: readonly [file: string, fields: Record<string, unknown>, message: RegExp][] = [
    ['model_index.json', { _class_name: 'FluxPipeline' }, /model_index\.json: "_class_name" is "FluxPipeline"/],
    ['model_index.json', { text_encoder: [null, null] }, /model_index\.json: has no "text_encoder"/],
    ['unet/config.json', { class_embed_type: 'timestep' }, /"class_embed_type" is "timestep"/],
    ['unet/config.json', { time_cond_proj_dim: 256 }, /"time_cond_proj_dim" is 256/],
    ['unet/config.json', { block_out_channels: [8, 16, 32] }, /lists 2 for 3 levels/],
    ['unet/config.json', { up_block_types: ['CrossAttnUpBlock2D', 'UpBlock2D'] }, /other levels/],
    ['unet/config.json', { norm_num_groups: 3 }, /do not make 3 groups/],
    ['unet/config.json', { cross_attention_dim: 24 }, /the denoiser reads 24/],
    ['unet/config.json', { attention_head_dim: [2] }, /lists 1 numbers for 2 levels/],
    ['unet/config.json', { addition_embed_type: 'text_time' }, /which needs/],
    ['vae/config.json', { _class_name: 'AutoencoderTiny' }, /"_class_name" is "AutoencoderTiny"/],
    ['vae/config.json', { latents_mean: [1, 2] }, /for each of 4 channels/],
    ['text_encoder/config.json', { architectures: ['T5EncoderModel'] }, /T5EncoderModel/],
    ['text_encoder/config.json', { vocab_size: 10 }, /is not of a vocabulary of 10/],
    ['scheduler/scheduler_config.json', { _class_name: 'FlowMatchEulerDiscreteScheduler' }, /is not supported/],
    ['scheduler/scheduler_config.json', { trained_betas: [0.1] }, /"trained_betas"/],
    ['scheduler/scheduler_config.json', { clip_sample: true }, /"clip_sample" is true/],
    ['scheduler/scheduler_config.json', { beta_start: 'a' }, /"beta_start" is "a"/],
    ['tokenizer/special_tokens_map.json', { pad_token: 'none' }, /has no token "none"/]
  ]
  t.ok(describe(texts))
  for (const [file, fields, message] of cases) {
    const expected = { code: 'model_invalid', message }
    t.throws(() => describe(changed(texts, file, fields)), expected, `${file} ${JSON.stringify(fields)}`)
  }
  t.throws(() => describe({ ...texts, 'unet/config.json': '{' }), { message: /unet\/config\.json: is not JSON/ })
  t.throws(() => describe({ ...texts, 'unet/config.json': undefined }), { message: /unet\/config\.json: is missing/ })
  t.throws(() => describe({ ...texts, 'tokenizer/vocab.json': undefined }), { message: /has neither vocab\.json/ })
})

t.test('no text of a folder makes the reader fail in another way than it says', async t => {
  const texts = publishedTexts('stable-diffusion-xl')
  let tried = 0
  const values = [null, -1, 0, 1e300, 0.5, '', 'x', [], [1], {}, true]
  for (const [file, text] of Object.entries(texts)) {
    for (const field of typeof text === 'object' && text !== null ? Object.keys(text) : []) {
      for (const value of values) {
        tried += 1
        try {
          describe(changed(texts, file, { [field]: value }))
        } catch (error) {
          if (!(error instanceof MeshError) || error.code !== 'model_invalid') {
            t.fail(`${file} ${field} ${JSON.stringify(value)}: ${error}`)
          }
        }
      }
    }
  }
  t.ok(tried > 1000, `${tried} texts`)
})

t.test("a publisher's scheduler is one of ours", async t => {
  const texts = textsOf('tiny-sd')
  const scheduleOf = (fields: Record<string, unknown>) =>
    describe({ ...texts, 'scheduler/scheduler_config.json': fields }).schedule
  const cases: readonly [file: Record<string, unknown>, schedule: Record<string, unknown>][] = [
    [{ _class_name: 'PNDMScheduler' }, { scheduler: 'dpmpp_2m', setAlphaToOne: false, timestepSpacing: 'leading' }],
    [
      { _class_name: 'DDIMScheduler', clip_sample: false },
      { scheduler: 'ddim', setAlphaToOne: true, betaEnd: 0.02 }
    ],
    [{ _class_name: 'EulerDiscreteScheduler' }, { scheduler: 'euler', timestepSpacing: 'linspace' }],
    [{ _class_name: 'EulerDiscreteScheduler', use_karras_sigmas: true }, { scheduler: 'euler_karras' }],
    [
      { _class_name: 'EulerAncestralDiscreteScheduler', timestep_spacing: 'trailing' },
      { scheduler: 'euler_a', timestepSpacing: 'trailing' }
    ],
    [{ _class_name: 'DPMSolverMultistepScheduler', use_karras_sigmas: true }, { scheduler: 'dpmpp_2m_karras' }],
    [{ _class_name: 'LCMScheduler' }, { scheduler: 'lcm', betaStart: 0.00085, betaSchedule: 'scaled_linear' }],
    [
      { _class_name: 'EDMEulerScheduler', sigma_data: 1 },
      { scheduler: 'edm_euler', sigmaData: 1, sigmaMax: 80 }
    ],
    [{ _class_name: 'UniPCMultistepScheduler', prediction_type: 'v_prediction' }, { prediction: 'v_prediction' }]
  ]
  for (const [file, schedule] of cases) t.match(scheduleOf(file), schedule, JSON.stringify(file))
  t.equal(scheduleOf({ _class_name: 'EulerDiscreteScheduler', sigma_min: 1 }).sigmaMin, undefined)
})

t.test('the tokens that frame a chunk are those that the folder names', async t => {
  const texts = textsOf('tiny-xl')
  const { textEncoders, zeroForEmpty } = describe(texts)
  t.match(textEncoders, [
    { beginToken: 522, endToken: 523, padToken: 523 },
    { beginToken: 522, endToken: 523, padToken: 0 }
  ])
  t.ok(zeroForEmpty)
  const said = changed(texts, 'model_index.json', { force_zeros_for_empty_prompt: false })
  t.notOk(describe(said).zeroForEmpty)
  // an object, as older files have it, in the other of the two files
  const bare = { ...texts, 'tokenizer_2/special_tokens_map.json': undefined }
  const moved = changed(bare, 'tokenizer_2/tokenizer_config.json', { pad_token: { content: '"', special: true } })
  t.equal(describe(moved).textEncoders[1]?.padToken, 1)
  t.equal(describe(bare).textEncoders[1]?.padToken, 523, 'where none is named, the end fills')
})
