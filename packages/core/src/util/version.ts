/** The version of Joyul, as package.json has it. */
export const joyulVersion = '0.1.0';
