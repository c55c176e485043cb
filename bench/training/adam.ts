/** The numbers of the update, which python/train.py has as well. */

/** For every trained weight. */
export const learningRate = 5e-5;
/** For every trained weight. */
export const weightDecay = 0.01;
/** Of all gradients together. */
export const maxGradNorm = 1;
