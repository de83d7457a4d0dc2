import { z } from 'zod'
import { sha256Schema } from './weight-file.ts'

/** Files of a repository that one model is made of: the shards of the largest there are, and some small ones. */
export const RECIPE_FILES_MAX = 1100

const repositoryName = /^[A-Za-z0-9][A-Za-z0-9._-]{0,95}\/[A-Za-z0-9][A-Za-z0-9._-]{0,95}$/
const filePath = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,255}(\/[A-Za-z0-9_][A-Za-z0-9._-]{0,255}){0,7}$/

const isGgufPath = (path: string): boolean => path.endsWith('.gguf')
const isWeightPath = (path: string): boolean => isGgufPath(path) || path.endsWith('.safetensors')

/** What a file's bytes are known by. A git blob's is the SHA-1 that git names its contents with. */
export const fileDigestSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('sha256'), hex: sha256Schema }),
  z.object({ kind: z.literal('git-blob'), hex: z.string().regex(/^[0-9a-f]{40}$/, 'a SHA-1 has 40 digits') })
])
export type FileDigest = z.infer<typeof fileDigestSchema>

const recipeFileSchema = z.object({
  /** Inside the repository: in its root, or of GGUF files anywhere. */
  path: z
    .string()
    .regex(filePath, 'the path of a file in the repository')
    .max(1024)
    .refine(path => !path.includes('/') || isGgufPath(path), 'only GGUF files are read in folders'),
  bytes: z.int().positive(),
  digest: fileDigestSchema
})
export type RecipeFile = z.infer<typeof recipeFileSchema>

/**
 * What an import makes of matrices of plain numbers: blocks of 8 bits, or 4; `none` leaves them as they are; `auto` makes 8 bits of
 * a large model's 16.
 */
export const quantizeSchema = z.enum(['auto', 'none', 'q8', 'q4'])
export type Quantize = z.infer<typeof quantizeSchema>

/**
 * How weight files are made that nobody has made yet: from which files of which commit, and by which version of the
 * conversion. The same recipe gives the same bytes everywhere. It names no host: whoever makes the files fetches from the
 * hub that its own operator has set.
 */
export const modelRecipeSchema = z.object({
  /** `ORG/REPO`. */
  repository: z
    .string()
    .regex(repositoryName, 'a repository is ORG/REPO')
    .refine(name => !name.includes('..'), 'a repository is ORG/REPO'),
  /** Never a branch: what it names does not change. */
  commit: z.string().regex(/^[0-9a-f]{40}$/, 'a commit has 40 lower-case hexadecimal digits'),
  /** Raised when a conversion gives other bytes. */
  converter: z.int().positive().max(1_000_000),
  /** Absent: `auto`. */
  quantize: quantizeSchema.optional(),
  files: z
    .array(recipeFileSchema)
    .min(1)
    .max(RECIPE_FILES_MAX)
    .refine(files => new Set(files.map(({ path }) => path)).size === files.length, 'a file is named twice')
    .refine(files => files.some(({ path }) => isWeightPath(path)), 'no file has weights')
})
export type ModelRecipe = z.infer<typeof modelRecipeSchema>

/** What a weight file turned out to hold, by whoever made or fetched it. */
export interface FileContent {
  /** The file's name in the manifest: the hash of its recipe. */
  readonly file: string
  /** SHA-256 of its bytes. */
  readonly sha256: string
  /**
   * From a node: it made the file from the repository itself, and did not take it from a peer. From a coordinator: more than
   * one has made it so, or the coordinator itself.
   */
  readonly verified: boolean
}
