export const handler = awslambda.streamifyResponse(async (_event, stream) => {
  stream.write("first");
  await new Promise((resolve) => setTimeout(resolve, 50));
  stream.end();
});
