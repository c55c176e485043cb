export { digestFile, downloadFile } from './download.ts';
export type { FetchOptions, Integrity } from './download.ts';
export {
  fetchFirst,
  fetchSource,
  findModelFolder,
  isLocalReference,
  parseReference,
} from './fetch-source.ts';
export type { FetchedSource, Reference } from './fetch-source.ts';
export { listPypiFiles, probeRegistries } from './registries.ts';
export type { RegistryProbe } from './registries.ts';
export { SourceError } from './source-error.ts';
export { extractTar } from './tar.ts';
export { extractZip } from './zip.ts';
