/** Of this package, as package.json has it; the server shows it as the SDK version of a participant. */
export const version = '0.1.0';
