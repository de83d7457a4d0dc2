import type { JsonValue } from '@resultity/store'

/** Endpoints that make answers, vectors or pictures, as the tables of fields call them. */
export type FieldEndpoint = 'chat' | 'completions' | 'responses' | 'embeddings' | 'generations' | 'edits' | 'variations'

/** A field that some server documents and that no schema here has. */
export interface UnservedField {
  /** With dots where it is within another: `reasoning.effort`. */
  readonly name: string
  readonly endpoints: readonly FieldEndpoint[]
  /**
   * Values that change nothing, and are taken; `null` always is. Undefined: every value is taken, since none of them can change
   * an answer.
   */
  readonly neutral?: readonly JsonValue[]
  /** Of a refused field: what to send instead. */
  readonly instead?: string
}

const CHAT = ['chat'] as const
const COMPLETIONS = ['completions'] as const
const RESPONSES = ['responses'] as const
const CONVERSATIONS = ['chat', 'responses'] as const
const TEXTS = ['chat', 'completions', 'responses'] as const
const ALL = ['chat', 'completions', 'responses', 'embeddings'] as const

function noEffect(endpoints: readonly FieldEndpoint[], names: readonly string[]): UnservedField[] {
  return names.map(name => ({ name, endpoints }))
}

type Refusal = readonly [name: string, neutral?: readonly JsonValue[], instead?: string]

function refused(endpoints: readonly FieldEndpoint[], refusals: readonly Refusal[]): UnservedField[] {
  return refusals.map(([name, neutral = [], instead]) => ({
    name,
    endpoints,
    neutral,
    ...(instead === undefined ? {} : { instead })
  }))
}

const SEVERAL_MODELS = 'Several models are asked by /v1/chat/completions and /v1/completions only.'

const openAi: readonly UnservedField[] = [
  ...noEffect(ALL, ['user', 'metadata', 'safety_identifier', 'service_tier']),
  ...noEffect(TEXTS, ['prompt_cache_key', 'prompt_cache_retention', 'prompt_cache_options']),
  // counts calls of tools that OpenAI runs, of which there are none
  ...noEffect(RESPONSES, ['max_tool_calls', 'reasoning.summary', 'reasoning.generate_summary']),
  ...refused(CONVERSATIONS, [['moderation']]),
  ...refused(CHAT, [
    ['audio'],
    ['modalities', [['text']]],
    ['prediction'],
    ['web_search_options'],
    ['verbosity', ['medium']]
  ]),
  ...refused(COMPLETIONS, [['suffix', [''], 'No model here fills in the middle: leave it out.']]),
  ...refused(RESPONSES, [
    ['text.verbosity', ['medium']],
    ['truncation', ['disabled'], 'Send a conversation that fits.'],
    ['context_management', [[]], 'Send a conversation that fits.'],
    ['prompt', [], 'Send input and instructions.'],
    // what chats call it
    ['n', [1], 'Use /v1/chat/completions.'],
    ['max_tokens', [], 'Use max_output_tokens.'],
    ['max_completion_tokens', [], 'Use max_output_tokens.'],
    ['response_format', [{ type: 'text' }], 'Use text.format.'],
    ['reasoning_effort', [], 'Use reasoning.effort.'],
    ['verbosity', ['medium']]
  ])
]

const ours: readonly UnservedField[] = refused(
  ['responses', 'embeddings'],
  [
    ['models', [], SEVERAL_MODELS],
    ['strategy', [], SEVERAL_MODELS]
  ]
)

const vllm: readonly UnservedField[] = [
  ...noEffect(ALL, ['priority', 'request_id', 'session_id', 'cache_salt', 'mm_processor_kwargs']),
  ...noEffect(TEXTS, [
    'guided_decoding_backend',
    'structured_outputs.disable_fallback',
    'kv_transfer_params',
    'ec_transfer_params',
    'media_io_kwargs',
    'return_token_ids',
    'return_prompt_text',
    'spaces_between_special_tokens',
    // says which side truncate_prompt_tokens cuts off
    'truncation_side'
  ]),
  ...refused(TEXTS, [
    ['skip_special_tokens', [true]],
    ['allowed_token_ids', [[]]],
    ['bad_words', [[]]],
    ['use_beam_search', [false]],
    ['length_penalty', [1]],
    ['prompt_logprobs', [], 'Use /v1/completions with echo and logprobs.'],
    ['logprob_token_ids', [[]]],
    ['return_tokens_as_token_ids', [false]],
    ['truncate_prompt_tokens', [], 'Send a prompt that fits.'],
    ['repetition_detection'],
    ['watermarking', [false]],
    ['thinking_token_budget'],
    ['logits_processors', [[]]],
    ['vllm_xargs', [{}]],
    ['guided_whitespace_pattern'],
    ['structured_outputs.structural_tag'],
    ['structured_outputs.whitespace_pattern'],
    ['structured_outputs.disable_any_whitespace', [false]],
    ['structured_outputs.disable_additional_properties', [false]]
  ]),
  ...refused(CONVERSATIONS, [
    ['chat_template'],
    ['documents', [[]]],
    ['best_of', [1]],
    ['echo', [false]],
    ['suffix', ['']]
  ]),
  ...refused(['chat', 'responses'], [['add_special_tokens', [false]]]),
  ...refused(RESPONSES, [['include_reasoning', [true]]]),
  ...refused(COMPLETIONS, [['add_special_tokens', [true]], ['prompt_embeds']]),
  ...refused(
    ['embeddings'],
    [
      ['add_special_tokens', [true]],
      ['normalize', [true]],
      ['embed_dtype', ['float32']],
      ['endianness', ['native', 'little']],
      ['input_type']
    ]
  )
]

const llamaCpp: readonly UnservedField[] = [
  ...noEffect(TEXTS, [
    'cache_prompt',
    'id_slot',
    'n_cache_reuse',
    // prompts that do not fit are refused, so nothing is ever discarded
    'n_keep',
    'n_discard',
    'timings_per_token',
    'return_progress',
    'return_tokens',
    'backend_sampling',
    // say how a sampler works that is refused unless it is off
    'dry_base',
    'dry_allowed_length',
    'dry_penalty_last_n',
    'dry_sequence_breakers',
    'xtc_threshold',
    'mirostat_tau',
    'mirostat_eta',
    'dynatemp_exponent',
    'adaptive_decay'
  ]),
  ...refused(TEXTS, [
    ['typical_p', [1]],
    ['dry_multiplier', [0]],
    ['xtc_probability', [0]],
    ['mirostat', [0]],
    ['dynatemp_range', [0]],
    ['adaptive_target', [-1]],
    ['top_n_sigma', [-1, 0]],
    ['tfs_z', [1]],
    ['top_a', [0]],
    ['repeat_penalty', [1], 'Use repetition_penalty.'],
    ['repeat_last_n', [-1], 'Penalties count the whole answer: leave it out.'],
    ['min_keep', [0]],
    ['samplers', [[]]],
    ['n_predict', [-1], 'Use max_tokens, or what the endpoint calls it.'],
    ['n_probs', [0], 'Use logprobs.'],
    ['post_sampling_probs', [false]],
    ['n_indent', [0]],
    ['t_max_predict_ms', [0, -1]],
    ['response_fields', [[]]],
    ['lora', [[]]],
    ['grammar_lazy', [false]],
    ['grammar_triggers', [[]]],
    ['preserved_tokens', [[]]]
  ]),
  ...refused(CONVERSATIONS, [
    ['reasoning_budget', [-1]],
    ['thinking_budget_tokens', [-1]],
    ['thinking_forced_open', [false]],
    ['enable_thinking', [], 'Use chat_template_kwargs.'],
    ['parse_tool_calls', [true]]
  ]),
  ...refused(RESPONSES, [['reasoning_format', ['auto']]])
]

const PICTURES = ['generations', 'edits', 'variations'] as const
const EDITS = 'Use /v1/images/edits.'
const ONE_MODEL = 'Send a request for each model: /v1/batch takes them in one call.'

/** Of pictures: OpenAI, and what diffusers, stable-diffusion-webui and LocalAI call what is called otherwise here. */
const pictures: readonly UnservedField[] = [
  // nothing here looks at what is drawn, so there is nothing to be less strict
  ...noEffect(PICTURES, ['user', 'metadata', 'safety_identifier', 'service_tier', 'moderation']),
  ...refused(PICTURES, [
    ['style', ['vivid'], 'Say it in the prompt.'],
    ['input_fidelity', ['low'], 'Use strength.'],
    ['num_inference_steps', [], 'Use steps.'],
    ['step', [], 'Use steps.'],
    ['guidance', [], 'Use guidance_scale.'],
    ['cfg_scale', [], 'Use guidance_scale.'],
    ['true_cfg_scale', [], 'Use guidance_scale.'],
    ['cfg_rescale', [], 'Use guidance_rescale.'],
    ['sampler', [], 'Use scheduler.'],
    ['sampler_name', [], 'Use scheduler.'],
    ['sample_method', [], 'Use scheduler.'],
    ['num_images_per_prompt', [1], 'Use n.'],
    ['batch_size', [1], 'Use n.'],
    ['n_iter', [1], 'Use n.'],
    ['width', [], 'Use size.'],
    ['height', [], 'Use size.'],
    ['aspect_ratio', [], 'Use size.'],
    ['resolution', [], 'Use size.'],
    ['denoising_strength', [], EDITS],
    ['init_images', [[]], EDITS],
    ['clip_skip', [0]],
    ['eta', [0]],
    ['lora', [[]]],
    ['loras', [[]]],
    ['controlnet', [[]]],
    ['hires_fix', [false]],
    ['enable_hr', [false]],
    ['restore_faces', [false]],
    ['tiling', [false]],
    ['models', [], ONE_MODEL],
    ['strategy', [], ONE_MODEL],
    ['styles', [[]]],
    ['subseed', [-1]],
    ['subseed_strength', [0]]
  ]),
  ...refused(
    ['generations'],
    [
      ['image', [], EDITS],
      ['images', [[]], EDITS],
      ['mask', [], EDITS],
      ['strength', [], EDITS]
    ]
  ),
  ...refused(
    ['variations'],
    [
      ['prompt', [''], EDITS],
      ['negative_prompt', [''], EDITS],
      ['images', [[]], 'Use image.'],
      ['mask', [], EDITS],
      ['stream', [false], EDITS],
      ['partial_images', [0], EDITS]
    ]
  )
]

/**
 * What clients send that is not served, by who documents it: OpenAI, vLLM, llama.cpp. What changes an answer is refused, so that
 * nobody takes an answer for one that it had part in. A field that no server documents passes.
 */
export const UNSERVED_FIELDS: readonly UnservedField[] = [...openAi, ...ours, ...vllm, ...llamaCpp, ...pictures]
