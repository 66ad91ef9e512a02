// Reads a streamed response with the AWS SDK for JavaScript, and lets the function go on once its first part is there.
import { InvokeWithResponseStreamCommand, LambdaClient, TagResourceCommand } from '@aws-sdk/client-lambda';

const [name, arn, gate] = process.argv.slice(2);
const lambda = new LambdaClient({ region: 'us-east-1', maxAttempts: 1 });
const answer = await lambda.send(
  new InvokeWithResponseStreamCommand({ FunctionName: name, Payload: JSON.stringify({ gate }), LogType: 'Tail' }),
);
console.log(answer.StatusCode, answer.ExecutedVersion);
for await (const event of answer.EventStream) {
  if (event.PayloadChunk) {
    console.log('chunk', Buffer.from(event.PayloadChunk.Payload).toString());
    await lambda.send(new TagResourceCommand({ Resource: arn, Tags: { [gate]: 'open' } }));
  }
  if (event.InvokeComplete) {
    const { ErrorCode, LogResult } = event.InvokeComplete;
    console.log('complete', ErrorCode, Buffer.from(LogResult, 'base64').toString().includes('streaming for'));
  }
}
