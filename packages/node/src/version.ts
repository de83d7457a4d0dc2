/** Version of the agent in adverts and in the identify protocol. */
export const AGENT_VERSION = '0.1.0'
