import { Readable } from 'node:stream'
import { type ApiRoute, addRoute, type ById, parseInput } from '@resultity/api-kit'
import type { FileService } from '@resultity/jobs'
import { pictureMediaTypes } from '@resultity/pictures'
import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { LINKED_PICTURES_PATH, type PictureLinks } from './picture-links.ts'

export interface PictureRouteComponents {
  readonly fileService: FileService
  readonly pictureLinks: PictureLinks
}

const querySchema = z.looseObject({
  /** Unix seconds. */
  expires: z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER),
  signature: z.string().min(1).max(128)
})

const downloadPicture: ApiRoute = {
  method: 'GET',
  path: `${LINKED_PICTURES_PATH}/{id}`,
  id: 'downloadPicture',
  summary: 'A picture by the link that a request answered with: no key is needed until it expires.',
  query: querySchema,
  answers: { 200: { description: 'The picture.', media: Object.values(pictureMediaTypes) } },
  errors: [400, 403, 404]
}

/** `GET /v1/images/files/{id}`. */
export function addPictureRoutes(server: FastifyInstance, { fileService, pictureLinks }: PictureRouteComponents): void {
  addRoute<ById>(server, downloadPicture, async (request, reply) => {
    const proof = parseInput(querySchema, request.query)
    const file = await fileService.findLinked(request.params.id)
    pictureLinks.verify(file, proof)
    const bytes = fileService.read(file)
    reply.headers({
      'content-type': mediaTypeOf(file.filename),
      'content-length': String(file.bytes),
      'content-disposition': `inline; filename="${file.filename}"`,
      'cache-control': 'private, max-age=3600, immutable',
      // pages of other origins show it: its link is what lets them
      'cross-origin-resource-policy': 'cross-origin'
    })
    return reply.send(Readable.from(bytes))
  })
}

/** By the name that was given here. */
function mediaTypeOf(filename: string): string {
  const format = filename.slice(filename.lastIndexOf('.') + 1)
  return (pictureMediaTypes as Readonly<Record<string, string>>)[format] ?? 'application/octet-stream'
}
