export { startServer } from './server.ts';
export type { RunningServer } from './server.ts';
export { ServeError } from './service.ts';
export type { ServeOptions } from './service.ts';
