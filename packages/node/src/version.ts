/** Of the agent, as adverts and the identify protocol tell it. */
export const AGENT_VERSION = '0.1.0'
