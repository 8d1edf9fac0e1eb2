package command

// interruptedKey holds what people should know when a command was cut off.
const interruptedKey = "interrupted"

// Interrupted is what people should know of a line in whose middle the program
// ended, beyond that; "" where there is nothing.
func Interrupted(line string) string {
	if line == "" {
		return ""
	}
	args, err := Split(line[1:])
	if err != nil {
		return ""
	}
	cmd, err := find((&run{}).tree(), Request{Args: args})
	if err != nil {
		return ""
	}
	return cmd.Annotations[interruptedKey]
}
