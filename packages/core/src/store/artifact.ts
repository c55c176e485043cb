import { formatCanonicalJson } from '../util/canonical-json.ts';
import { digestOf } from '../util/hash.ts';

/** One file of an artifact. */
export interface ArtifactFile {
  /** Inside the artifact, with forward slashes; empty when the artifact is a single file. */
  readonly path: string;
  readonly digest: string;
  readonly sizeBytes: number;
  readonly isExecutable: boolean;
}

/** A stored output: its digest covers paths, contents and executable bits. */
export interface Artifact {
  readonly type: string;
  readonly digest: string;
  /** In code-unit order of their paths. */
  readonly files: readonly ArtifactFile[];
}

/** The digest of an artifact with these files. */
export const digestArtifact = (files: readonly ArtifactFile[]): string =>
  digestOf(formatCanonicalJson(files));
