/**
 * How TensorFlow runs a program: the fields of tensorflow/core/protobuf/{config,rewriter_config}.proto that matter here.
 */
import { bytes, int, message } from './protobuf.ts';

/** The variable of the environment from which the addon takes the next session's ConfigProto, in hexadecimal digits. */
export const configVariable = 'JOYUL_SESSION_CONFIG';

/**
 * A ConfigProto without TensorFlow's own graph rewriting.
 *
 * Programs are written as they should run, and the fused functions hold what could be simplified. On the training
 * graph of a model with 30 layers the rewriting takes 12 s and does not make an iteration faster. Even joining products
 * with the bias that follows them makes it slower: oneDNN has faster kernels for the product alone.
 */
export function makeSessionConfig(): string {
  return message(bytes(10, bytes(10, int(19, 1)))).toString('hex');
}
