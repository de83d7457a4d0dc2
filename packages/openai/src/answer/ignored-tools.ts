/** The header that names tools of a request which the model was not told of: those that the servers of others run. */
export const IGNORED_TOOLS = 'x-resultity-ignored-tools'
