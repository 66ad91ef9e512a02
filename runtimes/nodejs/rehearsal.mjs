// What a stem loads and calls while it has time, as a function of ES modules is loaded and called.
export const handler = async (event) => event;
