/**
 * How TensorFlow runs a program: the fields of tensorflow/core/protobuf/{config,rewriter_config}.proto that matter here.
 */
import { bytes, int, message } from './protobuf.ts';

/** The variable of the environment from which the addon takes the next session's ConfigProto, in hexadecimal digits. */
export const configVariable = 'JOYUL_SESSION_CONFIG';

/**
 * A ConfigProto without most of TensorFlow's own graph rewriting.
 *
 * Programs are written as they should run, and the fused functions hold what could be simplified. On the training
 * graph of a model with 30 layers all the rewriting takes 12 s and does not make an iteration faster. Only joining
 * products with the bias that follows them pays, for programs that have any.
 */
export function makeSessionConfig(options: { readonly hasBias: boolean }): string {
  const once = int(12, 1);
  const rewriting = options.hasBias ? message(once, bytes(100, 'remap')) : int(19, 1);
  return message(bytes(10, bytes(10, rewriting))).toString('hex');
}
