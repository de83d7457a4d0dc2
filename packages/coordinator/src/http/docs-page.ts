import { type ApiRoute, addRoute } from '@resultity/api-kit'
import { MeshError } from '@resultity/interface'
import { type FastifyInstance, fastify } from 'fastify'

const showDocs: ApiRoute = {
  method: 'GET',
  path: '/docs',
  id: 'docs',
  summary: 'This API as a page to read and to try.',
  answers: { 200: { media: ['text/html'] } }
}

const loadDocsScript: ApiRoute = {
  method: 'GET',
  path: '/docs/scalar.js',
  id: 'docsScript',
  summary: 'The script of that page.',
  answers: { 200: { media: ['text/javascript'] } }
}

/** What the page may do: run its one script, style itself, and talk to this server. It loads nothing from elsewhere. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data: blob:",
  'font-src data:',
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'"
].join('; ')

const CONFIGURATION = {
  url: '/openapi.json',
  withDefaultFonts: false,
  telemetry: false,
  hideClientButton: true,
  showDeveloperTools: 'never',
  agent: { disabled: true },
  mcp: { disabled: true }
}

const PAGE = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Resultity Mesh API</title>
  </head>
  <body>
    <script id="api-reference" data-configuration='${JSON.stringify(CONFIGURATION)}'></script>
    <script src="/docs/scalar.js"></script>
  </body>
</html>
`

/** `GET /docs`: the API document as a page. Its assets come from a package of this machine. */
export function addDocsPage(server: FastifyInstance): void {
  addRoute(server, showDocs, async (_request, reply) => {
    reply.header('content-security-policy', POLICY).type('text/html; charset=utf-8')
    return PAGE
  })
  addRoute(server, loadDocsScript, async (_request, reply) => {
    reply.header('cache-control', 'public, max-age=3600').type('text/javascript; charset=utf-8')
    return loadScript()
  })
}

/**
 * The script is 5 MB of text inside a plug-in that would load it with the server and keep it: so the plug-in is asked
 * once, by itself, when somebody looks at the page.
 */
async function loadScript(): Promise<string> {
  const { default: reference } = await import('@scalar/fastify-api-reference')
  await using carrier = fastify()
  await carrier.register(reference, { routePrefix: '/', configuration: { url: '/openapi.json' } })
  const { statusCode, body } = await carrier.inject('/js/scalar.js')
  if (statusCode !== 200) throw new MeshError('internal', `the docs page's script answered ${statusCode}`)
  return body
}
